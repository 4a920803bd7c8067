/* SRTP by libsrtp2: policies for the three profiles, sealing, opening. */
#include "rtc/seal_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <srtp2/srtp.h>

#include "base/err.h"

/* Packets that may come late and still be taken: 20 s of audio. */
enum { WINDOW = 1024 };

struct seal {
	srtp_t out, in;
};

bool seal_lengths(uint16_t profile, size_t *ret_key, size_t *ret_salt)
{
	switch (profile) {
	case SEAL_CM_SHA1_80:
		*ret_key = 16;
		*ret_salt = 14;
		return true;
	case SEAL_GCM_128:
		*ret_key = 16;
		*ret_salt = 12;
		return true;
	case SEAL_GCM_256:
		*ret_key = 32;
		*ret_salt = 12;
		return true;
	default:
		return false;
	}
}

int seal_start(void)
{
	return srtp_init() == srtp_err_status_ok ? 0 : ERR_CONFIG;
}

void seal_stop(void)
{
	srtp_shutdown();
}

static int set_policy(srtp_policy_t *p, uint16_t profile)
{
	switch (profile) {
	case SEAL_CM_SHA1_80:
		srtp_crypto_policy_set_rtp_default(&p->rtp);
		srtp_crypto_policy_set_rtcp_default(&p->rtcp);
		return 0;
	case SEAL_GCM_128:
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
		return 0;
	case SEAL_GCM_256:
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
		return 0;
	default:
		return ERR_PROTOCOL;
	}
}

static int make(srtp_t *ret, const struct seal_keys *k, const uint8_t *key,
		srtp_ssrc_t ssrc)
{
	srtp_policy_t p = {
		.ssrc = ssrc,
		.key = (uint8_t *)key,
		.window_size = WINDOW,
		.allow_repeat_tx = 1,
	};
	int r = set_policy(&p, k->profile);

	if (r < 0)
		return r;
	return srtp_create(ret, &p) == srtp_err_status_ok ? 0 : -ENOMEM;
}

int seal_create(struct seal **ret_seal, const struct seal_keys *keys,
		uint32_t own_ssrc)
{
	struct seal *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	int r = make(&s->out, keys, keys->local,
		     (srtp_ssrc_t){ .type = ssrc_specific, .value = own_ssrc });
	if (r == 0)
		r = make(&s->in, keys, keys->remote,
			 (srtp_ssrc_t){ .type = ssrc_any_inbound });
	if (r < 0) {
		seal_destroy(s);
		return r;
	}
	*ret_seal = s;
	return 0;
}

void seal_destroy(struct seal *s)
{
	if (!s)
		return;
	if (s->out)
		srtp_dealloc(s->out);
	if (s->in)
		srtp_dealloc(s->in);
	free(s);
}

static int opened(srtp_err_status_t st, int n)
{
	if (st == srtp_err_status_ok)
		return n;
	if (st == srtp_err_status_replay_fail || st == srtp_err_status_replay_old)
		return -EALREADY;
	return ERR_AUTH;
}

int seal_rtp(struct seal *s, uint8_t *p, size_t n)
{
	int len = (int)n;

	assert(n >= 12);
	return srtp_protect(s->out, p, &len) == srtp_err_status_ok ?
		       len : ERR_PROTOCOL;
}

int seal_rtcp(struct seal *s, uint8_t *p, size_t n)
{
	int len = (int)n;

	assert(n >= 8);
	return srtp_protect_rtcp(s->out, p, &len) == srtp_err_status_ok ?
		       len : ERR_PROTOCOL;
}

int seal_open_rtp(struct seal *s, uint8_t *p, size_t n)
{
	int len = (int)n;
	srtp_err_status_t st = srtp_unprotect(s->in, p, &len);

	return opened(st, len);
}

int seal_open_rtcp(struct seal *s, uint8_t *p, size_t n)
{
	int len = (int)n;
	srtp_err_status_t st = srtp_unprotect_rtcp(s->in, p, &len);

	return opened(st, len);
}
