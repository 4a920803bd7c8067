/*
 * vad: the forward pass, compiled once for every kind of processor: vad.c
 * includes this file with VAD_NAME (a suffix for the functions), VAD_TARGET
 * (their instruction set) and VAD_LANES (floats a register) set. No guard,
 * on purpose. Runs on the beat: no allocation, no locks, 17 kB of stack.
 *
 * The time goes into reading the weights (620 kB a window). They come
 * in the order of use, and each is used for all frames that need it while it
 * is in a register.
 */

/* The four spectra in parallel: value f of a row belongs to frame f. */
VAD_TARGET static void VAD_NAME(pack)(const float *x, float *re, float *im)
{
	const float *hann = vad_weights.hann;

	for (int i = 0; i < VAD_FFT / 2; i++) {
		for (int f = 0; f < VAD_FRAMES; f++) {
			const float *s = x + 128 * f + 2 * i;
			re[i * VAD_FRAMES + f] = s[0] * hann[2 * i];
			im[i * VAD_FRAMES + f] = s[1] * hann[2 * i + 1];
		}
	}
}

/* One butterfly between two runs of n values: sum, and turned difference. */
VAD_TARGET static inline void
VAD_NAME(butterfly)(const float *restrict re, const float *restrict im,
		    float *restrict out_re, float *restrict out_im, int n,
		    float wr, float wi)
{
	enum { FAR = VAD_FFT / 4 * VAD_FRAMES };

	for (int i = 0; i < n; i++) {
		float dr = re[i] - re[i + FAR], di = im[i] - im[i + FAR];

		out_re[i] = re[i] + re[i + FAR];
		out_im[i] = im[i] + im[i + FAR];
		out_re[i + n] = dr * wr - di * wi;
		out_im[i + n] = dr * wi + di * wr;
	}
}

/* Complex FFT of 128 points (Stockham, radix 2), 4 at a time. The result is
 * in the second pair: 7 passes, each from one pair to the other. */
VAD_TARGET static void VAD_NAME(fft)(float *re, float *im, float *re2,
				     float *im2)
{
	const float *cosine = vad_weights.cosine;

	for (int l = VAD_FFT / 4, m = 1; l >= 1; l /= 2, m *= 2) {
		int run = m * VAD_FRAMES;

		for (int j = 0; j < l; j++)
			VAD_NAME(butterfly)(re + j * run, im + j * run,
					    re2 + 2 * j * run,
					    im2 + 2 * j * run, run,
					    cosine[2 * j * m],
					    cosine[2 * j * m + VAD_FFT / 4]);
		float *t = re;
		re = re2, re2 = t;
		t = im;
		im = im2, im2 = t;
	}
}

/* x: 640 samples. Magnitudes to mag[bin][1 + frame]; the frames at both ends
 * stay zero: they are conv1's padding. */
VAD_TARGET static void VAD_NAME(spectra)(const float *x,
					 float (*mag)[VAD_FRAMES + 2])
{
	enum { N = VAD_FFT / 2 };
	const float *cosine = vad_weights.cosine;
	float buf[4][N * VAD_FRAMES];

	VAD_NAME(pack)(x, buf[0], buf[1]);
	VAD_NAME(fft)(buf[0], buf[1], buf[2], buf[3]);
	/* Even and odd samples went in as real and imaginary part: part the
	 * two spectra again and join them as one transform of 256. */
	for (int k = 0; k <= N; k++) {
		const float *re = buf[2] + k % N * VAD_FRAMES;
		const float *im = buf[3] + k % N * VAD_FRAMES;
		const float *rm = buf[2] + (N - k) % N * VAD_FRAMES;
		const float *jm = buf[3] + (N - k) % N * VAD_FRAMES;
		float c = 0.5f * cosine[k];
		float s = 0.5f * cosine[k + VAD_FFT / 4];

		for (int f = 0; f < VAD_FRAMES; f++) {
			float odd_re = im[f] + jm[f], odd_im = rm[f] - re[f];
			float a = 0.5f * (re[f] + rm[f]) + c * odd_re -
				  s * odd_im;
			float b = 0.5f * (im[f] - jm[f]) + c * odd_im +
				  s * odd_re;
			mag[k][1 + f] = sqrtf(a * a + b * b);
		}
	}
}

typedef float VAD_NAME(lanes) __attribute__((vector_size(4 * VAD_LANES)));

/* How a layer slides over its input, x[channel][pitch]. All are constants
 * where it is used, so that the loops below unroll. */
struct VAD_NAME(shape) {
	int channels, taps, pitch, step, frames, narrow;
};

/* The next weights, in the width they have. */
VAD_TARGET VAD_INLINE void VAD_NAME(load)(const char **w, int narrow,
					  VAD_NAME(lanes) *ret_v)
{
	typedef int16_t half __attribute__((vector_size(2 * VAD_LANES)));
	typedef int32_t full __attribute__((vector_size(4 * VAD_LANES)));
	full i;

	if (narrow) {
		half h;
		memcpy(&h, *w, sizeof h);
		i = __builtin_convertvector(h, full);
		*w += sizeof h;
	} else {
		memcpy(&i, *w, sizeof i);
		*w += sizeof i;
	}
	*ret_v = __builtin_convertvector(i, VAD_NAME(lanes));
}

/* One tile: 64 / frames rows of the layer for all its frames. */
VAD_TARGET VAD_INLINE void VAD_NAME(tile)(const char **w, const float *x,
					  struct VAD_NAME(shape) p,
					  float *ret_sum)
{
	VAD_NAME(lanes) sum[VAD_TILE / VAD_LANES] = {0}, v;
	const int vecs = VAD_TILE / VAD_LANES / p.frames;

	for (int c = 0; c < p.channels; c++, x += p.pitch) {
		for (int t = 0; t < p.taps; t++) {
			for (int b = 0; b < vecs; b++) {
				VAD_NAME(load)(w, p.narrow, &v);
				for (int f = 0; f < p.frames; f++)
					sum[f * vecs + b] +=
						v * x[t + f * p.step];
			}
		}
	}
	memcpy(ret_sum, sum, sizeof sum);
}

/* A whole layer, without its activation. y[row * y_pitch + frame]. */
VAD_TARGET VAD_INLINE void VAD_NAME(layer)(const struct vad_layer *l, int rows,
					   const float *x,
					   struct VAD_NAME(shape) p, float *y,
					   int y_pitch)
{
	const int tile_rows = VAD_TILE / p.frames;
	const char *w = l->w;
	float sum[VAD_TILE];

	assert(p.narrow == l->narrow);
	for (int row = 0; row < rows; row += tile_rows) {
		VAD_NAME(tile)(&w, x, p, sum);
		for (int r = 0; r < tile_rows; r++)
			for (int f = 0; f < p.frames; f++)
				y[(row + r) * y_pitch + f] =
					sum[f * tile_rows + r] *
						l->scale[row + r] +
					l->bias[row + r];
	}
}

VAD_TARGET static inline void VAD_NAME(relu)(float *y, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = y[i] > 0 ? y[i] : 0;
}

/* From magnitudes to the LSTM's input of 128. Rows are padded with zero
 * frames where the next layer's taps reach over the edge. */
VAD_TARGET static void VAD_NAME(encode)(float (*mag)[VAD_FRAMES + 2],
					float *out)
{
	const struct vad_weights *w = &vad_weights;
	float a[128][6] = {0}, b[64][2], c[64];

	VAD_NAME(layer)(&w->conv1, 128, mag[0],
			(struct VAD_NAME(shape)){VAD_BINS, 3, 6, 1, 4, 0},
			&a[0][1], 6);
	VAD_NAME(relu)(a[0], 128 * 6);
	VAD_NAME(layer)(&w->conv2, 64, a[0],
			(struct VAD_NAME(shape)){128, 3, 6, 2, 2, 0}, b[0], 2);
	VAD_NAME(relu)(b[0], 64 * 2);
	VAD_NAME(layer)(&w->conv3, 64, b[0],
			(struct VAD_NAME(shape)){64, 2, 2, 1, 1, 0}, c, 1);
	VAD_NAME(relu)(c, 64);
	VAD_NAME(layer)(&w->conv4, 128, c,
			(struct VAD_NAME(shape)){64, 1, 1, 1, 1, 0}, out, 1);
	VAD_NAME(relu)(out, 128);
}

/* exp(x) for |x| < 87 to 2e-7: 2^n by the exponent's bits, the rest by a
 * polynomial. libm's has a call and a table look-up for each. */
VAD_TARGET static inline float VAD_NAME(exponential)(float x)
{
	float n = x * 1.44269504f + 12582912.0f; /* rounds: 1.5 * 2^23 */
	uint32_t bits;
	memcpy(&bits, &n, sizeof bits);
	n -= 12582912.0f;
	float r = x - n * 0.693359375f + n * 2.12194440e-4f;
	float p = 1.0f / 5040;

	p = p * r + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r + 1.0f;
	p = p * r + 1.0f;
	float scale;
	bits = (bits << 23) + (127u << 23);
	memcpy(&scale, &bits, sizeof scale);
	return p * scale;
}

VAD_TARGET static inline float VAD_NAME(sigmoid)(float x)
{
	x = x > 80 ? 80 : x;
	x = x < -80 ? -80 : x;
	return 1.0f / (1.0f + VAD_NAME(exponential)(-x));
}

VAD_TARGET static inline float VAD_NAME(tangent)(float x)
{
	return 2.0f * VAD_NAME(sigmoid)(2.0f * x) - 1.0f;
}

/* The LSTM cell; gates come in the order input, forget, cell, output. */
VAD_TARGET static void VAD_NAME(remember)(struct vad_state *st, float *xh)
{
	enum { H = VAD_HIDDEN };
	float gate[4 * H];

	memcpy(xh + H, st->h, sizeof st->h);
	VAD_NAME(layer)(&vad_weights.lstm, 4 * H, xh,
			(struct VAD_NAME(shape)){2 * H, 1, 1, 1, 1, 1}, gate, 1);
	for (int i = 0; i < H; i++) {
		float c = VAD_NAME(sigmoid)(gate[H + i]) * st->c[i] +
			  VAD_NAME(sigmoid)(gate[i]) *
				  VAD_NAME(tangent)(gate[2 * H + i]);
		st->c[i] = c;
		st->h[i] = VAD_NAME(sigmoid)(gate[3 * H + i]) *
			   VAD_NAME(tangent)(c);
	}
}

/* x: context, window and mirrored end, 640 samples. */
VAD_TARGET static float VAD_NAME(forward)(struct vad_state *st, const float *x)
{
	float mag[VAD_BINS][VAD_FRAMES + 2] = {0};
	float xh[2 * VAD_HIDDEN];
	float sum = vad_weights.last_bias;

	VAD_NAME(spectra)(x, mag);
	VAD_NAME(encode)(mag, xh);
	VAD_NAME(remember)(st, xh);
	for (int i = 0; i < VAD_HIDDEN; i++)
		sum += vad_weights.last[i] * (st->h[i] > 0 ? st->h[i] : 0);
	return VAD_NAME(sigmoid)(sum);
}
