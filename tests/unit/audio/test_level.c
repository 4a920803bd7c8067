/* RFC 6464 levels of known signals. */
#include "unit.h"

#include <math.h>

#include "audio/level_int.h"

static void silence_is_127_and_full_scale_0(void **state)
{
	(void)state;
	int16_t pcm[480] = { 0 };

	assert_int_equal(level_dbov(pcm, 480), 127);
	for (int i = 0; i < 480; i++)
		pcm[i] = i % 2 ? 32767 : -32768;
	assert_int_equal(level_dbov(pcm, 480), 0);
}

static void a_sine_is_3_db_below_its_peak(void **state)
{
	(void)state;
	int16_t pcm[480];

	for (int db = 0; db <= 70; db += 10) {
		double peak = 32767 * pow(10, -db / 20.0);

		for (int i = 0; i < 480; i++)
			pcm[i] = (int16_t)lround(peak * sin(i * 0.2617993878));
		assert_in_range(level_dbov(pcm, 480), db + 2, db + 4);
	}
}

static void a_single_bit_is_still_not_silence(void **state)
{
	(void)state;
	int16_t pcm[480] = { 0 };

	pcm[7] = 1;
	assert_in_range(level_dbov(pcm, 480), 110, 126);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_127_and_full_scale_0),
		cmocka_unit_test(a_sine_is_3_db_below_its_peak),
		cmocka_unit_test(a_single_bit_is_still_not_silence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
