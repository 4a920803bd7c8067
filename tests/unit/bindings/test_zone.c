/* Civil time against what the zones' files and the C library say. */
#include "script.h"

#include <time.h>

#include "bindings/bundle_int.h"

static void zones_agree_with_localtime(void **state)
{
	(void)state;
	static const char *const names[] = { "Asia/Karachi", "America/New_York",
					     "Europe/Berlin", "UTC",
					     "Australia/Lord_Howe" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zone *z;
		assert_int_equal(zone_create(&z, names[i]), 0);
		setenv("TZ", names[i], 1);
		tzset();
		/* 2000 to 2036, in steps that meet all hours and days. */
		for (int64_t t = 946684800; t < 2082758400; t += 1234567) {
			struct tm ours, theirs, back;
			time_t tt = (time_t)t;
			zone_tm(z, t, &ours);
			localtime_r(&tt, &theirs);
			assert_int_equal(ours.tm_hour, theirs.tm_hour);
			assert_int_equal(ours.tm_yday, theirs.tm_yday);
			assert_int_equal(ours.tm_isdst, theirs.tm_isdst);
			assert_int_equal(ours.tm_gmtoff, theirs.tm_gmtoff);
			assert_string_equal(ours.tm_zone, theirs.tm_zone);
			back = ours;
			int64_t again = zone_time(z, &back);
			struct tm check;
			zone_tm(z, again, &check);
			assert_int_equal(check.tm_hour, ours.tm_hour);
			assert_int_equal(check.tm_min, ours.tm_min);
		}
		zone_destroy(z);
	}
	unsetenv("TZ");
	tzset();
}

static void a_gap_keeps_the_offset_before_and_an_overlap_takes_the_first(void **state)
{
	(void)state;
	struct zone *z;

	assert_int_equal(zone_create(&z, "Europe/Berlin"), 0);
	/* 2027-03-28 02:30 does not exist: 01:30 UTC, which is 03:30 there. */
	struct tm gap = { .tm_year = 127, .tm_mon = 2, .tm_mday = 28,
			  .tm_hour = 2, .tm_min = 30 };
	assert_int_equal(zone_time(z, &gap), 1806197400);
	/* 2026-10-25 02:30 is there twice: the first is summer time. */
	struct tm twice = { .tm_year = 126, .tm_mon = 9, .tm_mday = 25,
			    .tm_hour = 2, .tm_min = 30 };
	assert_int_equal(zone_time(z, &twice), 1792888200);
	zone_destroy(z);
}

static void names_do_not_lead_out_of_the_folder(void **state)
{
	(void)state;
	static const char *const names[] = { "", "../passwd", "/etc/passwd", "No/Where",
					     "Asia", "zone.tab" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zone *z = NULL;
		assert_true(zone_create(&z, names[i]) < 0);
		assert_null(z);
	}
}

static void damaged_files_are_refused(void **state)
{
	(void)state;
	char folder[] = "/tmp/fd_zone_XXXXXX";
	uint8_t data[4096];
	struct zone *z;

	assert_non_null(mkdtemp(folder));
	FILE *f = fopen("/usr/share/zoneinfo/Asia/Karachi", "rb");
	assert_non_null(f);
	size_t n = fread(data, 1, sizeof data, f);
	fclose(f);
	char *path = str_printf("%s/Cut", folder);
	setenv("TZDIR", folder, 1);
	int fine = 0;
	for (size_t len = 0; len <= n; len++) {
		f = fopen(path, "wb");
		fwrite(data, 1, len, f);
		fclose(f);
		if (zone_create(&z, "Cut") == 0) {
			zone_destroy(z);
			fine++;
		}
	}
	assert_in_range(fine, 1, 40); /* only the footer may be missing */
	for (size_t i = 0; i < n; i++) { /* no byte may lead astray */
		data[i] ^= 0xff;
		f = fopen(path, "wb");
		fwrite(data, 1, n, f);
		fclose(f);
		if (zone_create(&z, "Cut") == 0) {
			struct tm tm;
			zone_tm(z, 1795402800, &tm);
			zone_destroy(z);
		}
		data[i] ^= 0xff;
	}
	unsetenv("TZDIR");
	remove(path);
	remove(folder);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_agree_with_localtime),
		cmocka_unit_test(a_gap_keeps_the_offset_before_and_an_overlap_takes_the_first),
		cmocka_unit_test(names_do_not_lead_out_of_the_folder),
		cmocka_unit_test(damaged_files_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
