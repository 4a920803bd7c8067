/*
 * Reading an answer. Line by line; session lines set defaults, section lines
 * refine them. Tolerant of what we do not use, bounded in what we keep. [any]
 */
#include "rtc/sdp_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/str.h"
#include "rtc/rtc.h"

struct reader {
	struct sdp_answer *a;
	struct sdp_section *cur; /* NULL in the session part */
	bool sends, receives;    /* the session's default direction */
	const char *why;
};

/* The value after a name such as "a=mid:", NULL when the line is another. */
static const char *after(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncmp(line, name, n) ? NULL : line + n;
}

/* Copies up to the next blank; false when it does not fit or is empty. */
static bool take_word(char *out, size_t cap, const char *from)
{
	size_t n = strcspn(from, " \t");

	if (!n || n >= cap)
		return false;
	memcpy(out, from, n);
	out[n] = 0;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "sha-256 AB:CD:..." (RFC 8122); the first one read stays. */
static bool read_fingerprint(struct sdp_answer *a, const char *v)
{
	uint8_t digest[sizeof a->digest];
	char hash[sizeof a->hash];
	size_t n = 0;

	if (a->digest_len)
		return true;
	if (!take_word(hash, sizeof hash, v))
		return false;
	for (v += strlen(hash); *v == ' '; v++)
		;
	for (;;) {
		int high = hex_digit(v[0]);
		int low = high < 0 ? -1 : hex_digit(v[1]);

		if (low < 0 || n == sizeof digest)
			return false;
		digest[n++] = (uint8_t)(high * 16 + low);
		v += 2;
		if (*v != ':')
			break;
		v++;
	}
	memcpy(a->digest, digest, n);
	memcpy(a->hash, hash, sizeof hash);
	a->digest_len = n;
	return true;
}

static enum sdp_setup setup_of(const char *v)
{
	if (!strcmp(v, "active"))
		return SDP_ACTIVE;
	if (!strcmp(v, "passive"))
		return SDP_PASSIVE;
	return !strcmp(v, "actpass") ? SDP_ACTPASS : SDP_SETUP_NONE;
}

static void keep_candidate(struct sdp_answer *a, const char *v)
{
	if (a->n_candidates < SDP_CANDIDATES_MAX &&
	    str_copy(a->candidates[a->n_candidates], SDP_CANDIDATE_MAX, v))
		a->n_candidates++;
}

/* Attributes that mean the same in the session and in a section. Returns
 * whether the line was one of them. */
static bool read_shared(struct reader *r, const char *line)
{
	struct sdp_answer *a = r->a;
	const char *v;

	if ((v = after(line, "a=ice-ufrag:"))) {
		if (!a->ufrag[0] && !take_word(a->ufrag, sizeof a->ufrag, v))
			r->why = "ice-ufrag is empty or too long";
	} else if ((v = after(line, "a=ice-pwd:"))) {
		if (!a->pwd[0] && !take_word(a->pwd, sizeof a->pwd, v))
			r->why = "ice-pwd is empty or too long";
	} else if ((v = after(line, "a=fingerprint:"))) {
		if (!read_fingerprint(a, v))
			r->why = "fingerprint is not readable";
	} else if ((v = after(line, "a=setup:"))) {
		if (a->setup == SDP_SETUP_NONE)
			a->setup = setup_of(v);
	} else if (!strcmp(line, "a=ice-lite")) {
		a->ice_lite = true;
	} else if (after(line, "a=candidate:")) {
		keep_candidate(a, line + 2);
	} else {
		return false;
	}
	return true;
}

static bool read_direction(const char *line, bool *sends, bool *receives)
{
	static const struct {
		const char *line;
		bool sends, receives;
	} all[] = {
		{ "a=sendrecv", true, true },
		{ "a=sendonly", true, false },
		{ "a=recvonly", false, true },
		{ "a=inactive", false, false },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(line, all[i].line))
			continue;
		*sends = all[i].sends;
		*receives = all[i].receives;
		return true;
	}
	return false;
}

static void read_ssrc(struct sdp_section *s, const char *v)
{
	char *end;
	unsigned long ssrc = strtoul(v, &end, 10);

	if (end == v || ssrc > UINT32_MAX || s->n_ssrcs == SDP_SSRCS_MAX)
		return;
	for (size_t i = 0; i < s->n_ssrcs; i++) {
		if (s->ssrcs[i] == ssrc)
			return;
	}
	s->ssrcs[s->n_ssrcs++] = (uint32_t)ssrc;
}

/* "111 opus/48000/2" */
static void read_rtpmap(struct sdp_section *s, const char *v)
{
	char *end;
	unsigned long pt = strtoul(v, &end, 10);

	if (end == v || pt > 127 || *end != ' ' || s->opus_pt)
		return;
	if (!strncasecmp(end + 1, "opus/48000", 10))
		s->opus_pt = (uint8_t)pt;
}

/* "1 urn:..." or "1/sendonly urn:..." (RFC 8285); ids 1 to 14 fit one byte. */
static void read_extmap(struct sdp_section *s, const char *v)
{
	char *end;
	unsigned long id = strtoul(v, &end, 10);
	const char *uri = strchr(v, ' ');

	if (end == v || id < 1 || id > 14 || !uri)
		return;
	uri++;
	if (!strcmp(uri, "urn:ietf:params:rtp-hdrext:sdes:mid"))
		s->ext_mid = (uint8_t)id;
	else if (!strcmp(uri, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"))
		s->ext_level = (uint8_t)id;
}

static uint32_t number_of(const char *v, uint32_t most)
{
	unsigned long long n = strtoull(v, NULL, 10);

	return n > most ? most : (uint32_t)n;
}

static void read_section_line(struct reader *r, const char *line)
{
	struct sdp_section *s = r->cur;
	const char *v;

	if (read_direction(line, &s->sends, &s->receives))
		return;
	if ((v = after(line, "a=mid:"))) {
		if (!take_word(s->mid, sizeof s->mid, v))
			r->why = "mid is empty or too long";
	} else if ((v = after(line, "a=ssrc:"))) {
		read_ssrc(s, v);
	} else if ((v = after(line, "a=rtpmap:"))) {
		read_rtpmap(s, v);
	} else if ((v = after(line, "a=extmap:"))) {
		read_extmap(s, v);
	} else if ((v = after(line, "a=rtcp-fb:"))) {
		v = strchr(v, ' ');
		s->nack |= v && !strcmp(v, " nack");
	} else if ((v = after(line, "a=sctp-port:"))) {
		r->a->sctp_port = (uint16_t)number_of(v, UINT16_MAX);
	} else if ((v = after(line, "a=max-message-size:"))) {
		r->a->max_message = number_of(v, UINT32_MAX);
	}
}

/* "m=audio 9 UDP/TLS/RTP/SAVPF 111" */
static void begin_section(struct reader *r, const char *v)
{
	struct sdp_answer *a = r->a;

	if (a->n_sections == SDP_SECTIONS_MAX) {
		r->why = "too many sections";
		return;
	}
	struct sdp_section *s = &a->sections[a->n_sections++];
	s->sends = r->sends;
	s->receives = r->receives;
	s->media = after(v, "audio ") ? SDP_AUDIO :
		   after(v, "video ") ? SDP_VIDEO :
		   after(v, "application ") ? SDP_APPLICATION : SDP_OTHER;
	const char *port = strchr(v, ' ');
	s->rejected = !port || !strtoul(port, NULL, 10);
	r->cur = s;
}

static void read_line(struct reader *r, const char *line)
{
	const char *v = after(line, "m=");

	if (v)
		begin_section(r, v);
	else if (read_shared(r, line))
		return;
	else if (r->cur)
		read_section_line(r, line);
	else
		read_direction(line, &r->sends, &r->receives);
}

static const char *what_is_missing(const struct sdp_answer *a)
{
	if (!a->n_sections)
		return "no section";
	if (!a->ufrag[0] || !a->pwd[0])
		return "no ICE user name or password";
	if (!a->digest_len)
		return "no fingerprint";
	if (a->setup == SDP_SETUP_NONE || a->setup == SDP_ACTPASS)
		return "no DTLS role";
	return NULL;
}

int sdp_parse_answer(struct sdp_answer *ret_answer, const char *text, size_t n,
		     const char **ret_why)
{
	struct sdp_answer *a = ret_answer;
	struct reader r = { .a = a, .sends = true, .receives = true };
	char line[2048];

	memset(a, 0, sizeof *a);
	if (n > SDP_TEXT_MAX)
		r.why = "too long";
	for (size_t at = 0; at < n && !r.why;) {
		const char *from = text + at;
		const char *end = memchr(from, '\n', n - at);
		size_t len = end ? (size_t)(end - from) : n - at;

		at += len + 1;
		while (len && (from[len - 1] == '\r' || from[len - 1] == ' '))
			len--;
		if (len >= sizeof line || memchr(from, 0, len))
			continue;
		memcpy(line, from, len);
		line[len] = 0;
		read_line(&r, line);
	}
	if (!r.why)
		r.why = what_is_missing(a);
	if (!r.why)
		return 0;
	*ret_why = r.why;
	return ERR_PROTOCOL;
}

int rtc_sdp_check(const char *sdp, size_t n)
{
	struct sdp_answer *a = malloc(sizeof *a);
	const char *why;

	if (!a)
		return -ENOMEM;
	int r = sdp_parse_answer(a, sdp, n, &why);
	free(a);
	return r;
}
