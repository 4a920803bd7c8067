/* Pairs, maps, and text that the server will take. */
#include "unit.h"

#include "livekit/proto_int.h"

static void pairs_are_copied_set_and_found(void **state)
{
	(void)state;
	const struct lk_pair from[] = { { "a", "1" }, { "b", NULL }, { 0 } };
	struct lk_pair *list = pairs_copy(from);

	assert_int_equal(pairs_count(list), 2);
	assert_string_equal(pairs_get(list, "b"), "");
	assert_null(pairs_get(list, "c"));
	pairs_set(&list, "a", "2");
	pairs_set(&list, "c", "3");
	assert_int_equal(pairs_count(list), 3);
	assert_string_equal(pairs_get(list, "a"), "2");
	assert_string_equal(pairs_get(list, "c"), "3");
	pairs_free(list);
	list = NULL;
	assert_int_equal(pairs_count(list), 0);
	assert_null(pairs_get(list, "a"));
	pairs_set(&list, "a", NULL);
	assert_string_equal(pairs_get(list, "a"), "");
	pairs_free(list);
	pairs_free(NULL);
}

static void a_map_survives_the_wire(void **state)
{
	(void)state;
	const struct lk_pair from[] = { { "k1", "v1" }, { "k2", "" }, { 0 } };
	Livekit__UpdateParticipantMetadata u =
		LIVEKIT__UPDATE_PARTICIPANT_METADATA__INIT;
	struct proto_map map;
	struct buf b = { 0 };

	proto_map_init(&map,
		&livekit__update_participant_metadata__attributes_entry__descriptor,
		from);
	u.n_attributes = map.n;
	u.attributes = (void *)map.ptrs;
	buf_puts(&b, "before");
	proto_pack(&b, &u);
	proto_map_free(&map);
	Livekit__UpdateParticipantMetadata *got =
		livekit__update_participant_metadata__unpack(NULL, b.len - 6, b.p + 6);
	assert_non_null(got);
	struct lk_pair *list = proto_pairs((void **)got->attributes,
					   got->n_attributes);
	assert_int_equal(pairs_count(list), 2);
	assert_string_equal(pairs_get(list, "k1"), "v1");
	assert_string_equal(pairs_get(list, "k2"), "");
	free(list);
	livekit__update_participant_metadata__free_unpacked(got, NULL);
	buf_free(&b);
}

static void presence_of_a_zero_is_kept(void **state)
{
	(void)state;
	Livekit__UpdateWorkerStatus u = LIVEKIT__UPDATE_WORKER_STATUS__INIT;
	struct buf b = { 0 };

	proto_pack(&b, &u);
	assert_int_equal(b.len, 0);
	u.said_case = LIVEKIT__UPDATE_WORKER_STATUS__SAID_STATUS;
	u.status = LIVEKIT__WORKER_STATUS__WS_AVAILABLE;
	proto_pack(&b, &u);
	assert_int_equal(b.len, 2);
	assert_memory_equal(b.p, "\x08\x00", 2);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_copied_set_and_found),
		cmocka_unit_test(a_map_survives_the_wire),
		cmocka_unit_test(presence_of_a_zero_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
