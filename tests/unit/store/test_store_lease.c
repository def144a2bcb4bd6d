/* Leases keep bytes where they are; nothing else keeps them, and nothing is kept longer. */
#include "tests/unit/store/chunk_fixture.h"

/* Bytes read from a snapshot that is gone by the time this returns. */
static struct bytes
lease_chunk(struct fixture *f, struct store_lease *lease, const struct named_chunk *c)
{
    struct store_snapshot *snapshot = NULL;
    struct bytes bytes;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_lease_add(lease, snapshot, c->place.family, &f->err), &f->err);
    WORKS(store_chunk_verify(store_snapshot_view(snapshot), c->id, c->place, c->length, c->crc,
                             &bytes, &f->err),
          &f->err);
    store_snapshot_drop(snapshot);
    return bytes;
}

static void
leased_bytes_survive_a_hundred_overwrites_and_the_file_stays_small(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_BULK, .place = {6, 0}, .length = STORE_BULK_BYTES};
    struct store_lease *lease = NULL;
    struct store_stats stats;
    struct bytes held;

    replace(f, &r);
    WORKS(store_lease_open(f->store, &lease, &f->err), &f->err);
    held = lease_chunk(f, lease, &r.made);
    for (uint32_t i = 1; i <= 100; i++) {
        r.seed = i;
        replace(f, &r);
    }
    for (int i = 0; i < 400; i++) {
        WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
        if (stats.garbage_chunks == 1)
            break;
        usleep(5000);
    }
    assert_int_equal(stats.garbage_chunks, 1); /* the leased one and no other */
    assert_int_equal(stats.leases_open, 1);
    assert_int_equal(stats.snapshots_open, 0);
    assert_true(is_filled(held, 0));
    assert_true(stats.file_bytes < 40 * (uint64_t)STORE_BULK_BYTES);
    store_lease_drop(lease);
    store_lease_drop(NULL);
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], 1);
    assert_int_equal(stats.leases_open, 0);
}

static void
a_lease_on_one_family_does_not_keep_another(void **state)
{
    struct fixture *f = *state;
    struct replacement ours = {.class = STORE_CLASS_ROWS, .place = {1, 0}, .length = 99};
    struct replacement theirs = {.class = STORE_CLASS_ROWS, .place = {2, 0}, .length = 99};
    struct store_lease *lease = NULL;
    struct store_stats stats;

    replace(f, &ours);
    replace(f, &theirs);
    WORKS(store_lease_open(f->store, &lease, &f->err), &f->err);
    (void)lease_chunk(f, lease, &ours.made);
    replace(f, &theirs);
    stats = stats_when_drained(f);
    assert_int_equal(stats.chunks[STORE_CLASS_ROWS], 2);
    store_lease_drop(lease);
}

static void
an_open_snapshot_keeps_what_it_can_see(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {1, 0}, .length = 99, .seed = 5};
    struct store_snapshot *snapshot = NULL;
    struct named_chunk first;
    struct store_stats stats;

    replace(f, &r);
    first = r.made;
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    replace(f, &r);
    usleep(100000);
    WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
    assert_int_equal(stats.garbage_chunks, 1);
    must_read(store_snapshot_view(snapshot), &first);
    store_snapshot_drop(snapshot);
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_ROWS], 1);
}

static void
two_leases_from_different_revisions_keep_both(void **state)
{
    struct fixture *f = *state;
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {1, 0}, .length = 500, .seed = 1};
    struct store_lease *first = NULL, *second = NULL;
    struct bytes one, two;

    WORKS(store_lease_open(f->store, &first, &f->err), &f->err);
    WORKS(store_lease_open(f->store, &second, &f->err), &f->err);
    replace(f, &r);
    one = lease_chunk(f, first, &r.made);
    r.seed = 2;
    replace(f, &r);
    two = lease_chunk(f, second, &r.made);
    for (r.seed = 3; r.seed < 20; r.seed++)
        replace(f, &r);
    usleep(100000);
    assert_true(is_filled(one, 1));
    assert_true(is_filled(two, 2));
    store_lease_drop(first);
    usleep(100000);
    assert_true(is_filled(two, 2));
    store_lease_drop(second);
    assert_int_equal(stats_when_drained(f).chunks[STORE_CLASS_ROWS], 1);
}

/* The property of LMDB that leases rest on: pages of records that are neither overwritten nor
 * deleted do not move, whatever else is written. */
static void
a_thousand_pointers_stay_valid_over_many_foreign_updates(void **state)
{
    enum { HELD = 1000, FOREIGN = 300 };
    struct fixture *f = *state;
    struct named_chunk *held = calloc(HELD, sizeof *held);
    struct bytes *bytes = calloc(HELD, sizeof *bytes);
    struct replacement r = {.class = STORE_CLASS_ROWS, .place = {99, 0}, .length = 16000};
    struct replacement *others = calloc(64, sizeof *others);
    struct naming naming = {held, HELD};
    struct store_update_options options = {0};
    struct store_lease *lease = NULL;
    struct store_snapshot *snapshot = NULL;

    assert_true(held != NULL && bytes != NULL && others != NULL);
    WORKS(store_stage_open(f->store, &options.stage, &f->err), &f->err);
    stage_chunks(f, options.stage, STORE_CLASS_ROWS, 5, 300, held, HELD);
    WORKS(store_update(f->store, name_chunks, &naming, &options, NULL, &f->err), &f->err);
    WORKS(store_lease_open(f->store, &lease, &f->err), &f->err);
    for (int i = 0; i < HELD; i += 100)
        bytes[i] = lease_chunk(f, lease, &held[i]);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    for (int i = 0; i < HELD; i++)
        WORKS(store_chunk_read(store_snapshot_view(snapshot), held[i].id, held[i].place,
                               held[i].length, held[i].crc, &bytes[i], &f->err),
              &f->err);
    store_snapshot_drop(snapshot);
    for (uint32_t i = 0; i < FOREIGN; i++) {
        uint32_t slot = i * 7 % 64;

        r = others[slot];
        r.class = STORE_CLASS_ROWS;
        r.place = (struct store_chunk_place){100 + slot, 0};
        r.length = 16000;
        r.seed = i;
        replace(f, &r);
        others[slot] = r;
    }
    (void)stats_when_drained(f);
    for (int i = 0; i < HELD; i++)
        assert_true(is_filled(bytes[i], held[i].seed));
    store_lease_drop(lease);
    free(held);
    free(bytes);
    free(others);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(leased_bytes_survive_a_hundred_overwrites_and_the_file_stays_small),
        STORE_TEST(a_lease_on_one_family_does_not_keep_another),
        STORE_TEST(an_open_snapshot_keeps_what_it_can_see),
        STORE_TEST(two_leases_from_different_revisions_keep_both),
        STORE_TEST(a_thousand_pointers_stay_valid_over_many_foreign_updates),
    };

    return cmocka_run_group_tests_name("store_lease", tests, NULL, NULL);
}
