/* WAV files in and out. */
#include "cli/wav.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/audio.h"
#include "base/buf.h"
#include "base/err.h"

enum { QUIET = 200, FILE_MAX = 64 << 20 };

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

struct format {
	int channels, hz, bits, tag;
};

/* Finds the samples; NULL when it is no 16 bit PCM WAV. */
static const uint8_t *find_samples(const struct buf *file, struct format *f,
				   size_t *ret_bytes)
{
	const uint8_t *p = file->p;
	size_t at = 12;

	if (file->len < 12 || memcmp(p, "RIFF", 4) || memcmp(p + 8, "WAVE", 4))
		return NULL;
	while (at + 8 <= file->len) {
		size_t size = le32(p + at + 4);
		if (!memcmp(p + at, "fmt ", 4) && at + 24 <= file->len) {
			f->tag = le16(p + at + 8);
			f->channels = le16(p + at + 10);
			f->hz = (int)le32(p + at + 12);
			f->bits = le16(p + at + 22);
		}
		if (!memcmp(p + at, "data", 4)) {
			size_t left = file->len - at - 8;
			*ret_bytes = size < left ? size : left;
			return p + at + 8;
		}
		if (size > file->len)
			break;
		at += 8 + size + (size & 1);
	}
	return NULL;
}

static int slurp(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rbe");
	size_t n;

	if (!f)
		return -errno;
	do {
		n = fread(buf_reserve(out, 65536), 1, 65536, f);
		out->len += n;
	} while (n && out->len < FILE_MAX);
	fclose(f);
	return 0;
}

static int convert(const uint8_t *bytes, size_t n_frames,
		   const struct format *f, int hz, int16_t **ret_pcm,
		   size_t *ret_n)
{
	struct audio_resampler *rs = NULL;
	size_t cap = n_frames * (size_t)hz / (size_t)f->hz + 64;
	int16_t *in = malloc((n_frames + 1) * sizeof *in);
	int16_t *out = malloc(cap * sizeof *out);
	int r = audio_resampler_create(&rs, f->hz, hz);

	if (!in || !out || r < 0) {
		free(in);
		free(out);
		return r < 0 ? r : -ENOMEM;
	}
	for (size_t i = 0; i < n_frames; i++)
		in[i] = (int16_t)le16(bytes + i * 2 * (size_t)f->channels);
	size_t n = audio_resample(rs, in, n_frames, out, cap);
	while (n && abs(out[n - 1]) < QUIET)
		n--;
	size_t from = 0;
	while (from < n && abs(out[from]) < QUIET)
		from++;
	n -= from;
	memmove(out, out + from, n * sizeof *out);
	audio_resampler_destroy(rs);
	free(in);
	*ret_pcm = out;
	*ret_n = n;
	return 0;
}

int wav_read(const char *path, int hz, int16_t **ret_pcm, size_t *ret_n,
	     const char **ret_why)
{
	struct buf file = { 0 };
	struct format f = { 0 };
	size_t bytes = 0;

	int r = slurp(path, &file);
	if (r < 0)
		return r;
	const uint8_t *samples = find_samples(&file, &f, &bytes);
	if (!samples || f.bits != 16 || f.channels < 1 || f.channels > 2 ||
	    f.hz < 8000 || f.hz > 96000) {
		*ret_why = "not a WAV file of 16 bit PCM, mono or stereo";
		r = ERR_REQUEST;
	} else {
		r = convert(samples, bytes / 2 / (size_t)f.channels, &f, hz,
			    ret_pcm, ret_n);
	}
	buf_free(&file);
	return r;
}

static void put32(FILE *f, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		fputc((int)(v >> 8 * i & 255), f);
}

static void put16(FILE *f, uint16_t v)
{
	fputc(v & 255, f);
	fputc(v >> 8, f);
}

int wav_write_stereo(const char *path, int hz, const int16_t *left,
		     const int16_t *right, size_t n)
{
	FILE *f = fopen(path, "wbe");

	if (!f)
		return -errno;
	fputs("RIFF", f);
	put32(f, (uint32_t)(36 + n * 4));
	fputs("WAVEfmt ", f);
	put32(f, 16);
	put16(f, 1);
	put16(f, 2);
	put32(f, (uint32_t)hz);
	put32(f, (uint32_t)hz * 4);
	put16(f, 4);
	put16(f, 16);
	fputs("data", f);
	put32(f, (uint32_t)(n * 4));
	for (size_t i = 0; i < n; i++) {
		put16(f, (uint16_t)left[i]);
		put16(f, (uint16_t)right[i]);
	}
	return fclose(f) ? -errno : 0;
}
