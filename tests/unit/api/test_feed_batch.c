/* Changes gathered for listeners: the newest of each name, what is new stays new, what is too much
 * is said to be lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "api/feed/feed_batch.h"

static const struct api_feed_filter everything = {.kinds = ~0U};

static struct api_feed_batch *
batch_new(const struct api_feed_filter *filter)
{
    struct api_feed_batch *batch = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(api_feed_batch_open(filter, &batch, &err), OK);
    return batch;
}

static void
add(struct api_feed_batch *batch, enum change_kind kind, const char *name, uint64_t revision,
    uint64_t version)
{
    const struct change change = {.kind = kind,
                                  .revision = revision,
                                  .version = version,
                                  .model = bytes_of_text("m"),
                                  .name = bytes_of_text(name),
                                  .op = bytes_of_text("assign")};
    struct err err = ERR_INIT;
    bool enough = false;

    assert_int_equal(api_feed_batch_add(batch, &change, &enough, &err), OK);
    assert_false(enough);
}

static void
close_batch(struct api_feed_batch *batch)
{
    struct err err = ERR_INIT;

    assert_int_equal(api_feed_batch_close(batch, &err), OK);
}

static void
must_be(const struct api_feed_event *event, uint64_t position, enum change_kind kind,
        const char *name, uint64_t revision, uint64_t version)
{
    struct api_feed_choice choice;

    assert_true(api_feed_choose(&everything, event, position, &choice));
    assert_null(choice.earlier);
    assert_int_equal(choice.kind, kind);
    assert_true(bytes_equal(event->change.name, bytes_of_text(name)));
    assert_int_equal(event->change.revision, revision);
    assert_int_equal(event->change.version, version);
}

static void
each_name_has_its_newest_change_in_order(void **state)
{
    struct api_feed_batch *batch = batch_new(NULL);
    struct api_feed_choice choice;

    (void)state;
    add(batch, CHANGE_VARIABLE_CHANGED, "b", 5, 2);
    add(batch, CHANGE_VARIABLE_CHANGED, "a", 6, 7);
    add(batch, CHANGE_VARIABLE_CHANGED, "b", 7, 3);
    add(batch, CHANGE_CHECKPOINT_SAVED, "b", 7, 0);
    add(batch, CHANGE_CHECKPOINT_RESTORED, "b", 8, 0);
    close_batch(batch);
    assert_int_equal(batch->count, 4);
    must_be(batch->events[0], 4, CHANGE_VARIABLE_CHANGED, "a", 6, 7);
    must_be(batch->events[1], 4, CHANGE_VARIABLE_CHANGED, "b", 7, 3);
    must_be(batch->events[2], 4, CHANGE_CHECKPOINT_SAVED, "b", 7, 0);
    must_be(batch->events[3], 4, CHANGE_CHECKPOINT_RESTORED, "b", 8, 0);
    assert_false(api_feed_choose(&everything, batch->events[0], 6, &choice));
    api_feed_batch_drop(batch);
}

static void
what_is_new_stays_new_for_who_does_not_know_it(void **state)
{
    struct api_feed_batch *batch = batch_new(NULL);
    const struct api_feed_filter changed = {.kinds = 1U << CHANGE_VARIABLE_CHANGED};
    struct api_feed_choice choice;

    (void)state;
    add(batch, CHANGE_VARIABLE_CREATED, "new", 5, 0);
    add(batch, CHANGE_VARIABLE_CHANGED, "new", 6, 1);
    add(batch, CHANGE_VARIABLE_INITIALIZED, "set", 7, 1);
    add(batch, CHANGE_VARIABLE_CHANGED, "set", 8, 2);
    add(batch, CHANGE_VARIABLE_CREATED, "gone", 9, 0);
    add(batch, CHANGE_VARIABLE_DELETED, "gone", 10, 0);
    add(batch, CHANGE_VARIABLE_DELETED, "back", 11, 9);
    add(batch, CHANGE_VARIABLE_CREATED, "back", 12, 0);
    add(batch, CHANGE_VARIABLE_CHANGED, "back", 13, 1);
    close_batch(batch);
    assert_int_equal(batch->count, 4);
    must_be(batch->events[0], 4, CHANGE_VARIABLE_CREATED, "new", 6, 1);
    must_be(batch->events[0], 5, CHANGE_VARIABLE_CHANGED, "new", 6, 1);
    must_be(batch->events[1], 4, CHANGE_VARIABLE_INITIALIZED, "set", 8, 2);
    must_be(batch->events[2], 4, CHANGE_VARIABLE_DELETED, "gone", 10, 0);
    must_be(batch->events[3], 4, CHANGE_VARIABLE_CREATED, "back", 13, 1);
    /* who asks for changes alone is told of the change */
    assert_true(api_feed_choose(&changed, batch->events[0], 4, &choice));
    assert_int_equal(choice.kind, CHANGE_VARIABLE_CHANGED);
    assert_false(api_feed_choose(&changed, batch->events[2], 4, &choice));
    api_feed_batch_drop(batch);
}

static void
filters_look_at_kind_model_and_name(void **state)
{
    struct api_feed_filter filter = {
        .kinds = 1U << CHANGE_VARIABLE_CHANGED | 1U << CHANGE_MODEL_DELETED, .prefix = "a/"};
    struct api_feed_batch *batch = batch_new(&filter);
    struct api_feed_choice choice;

    (void)state;
    add(batch, CHANGE_VARIABLE_CHANGED, "a/w", 5, 1);
    add(batch, CHANGE_VARIABLE_CHANGED, "aw", 6, 1);
    add(batch, CHANGE_VARIABLE_DELETED, "a/x", 7, 1);
    add(batch, CHANGE_MODEL_DELETED, "", 8, 0);
    close_batch(batch);
    assert_int_equal(batch->count, 2);
    must_be(batch->events[0], 0, CHANGE_VARIABLE_CHANGED, "a/w", 5, 1);
    must_be(batch->events[1], 0, CHANGE_MODEL_DELETED, "", 8, 0);
    memcpy(filter.model, "other", sizeof "other");
    assert_false(api_feed_choose(&filter, batch->events[0], 0, &choice));
    api_feed_batch_drop(batch);
}

static void
add_numbered(struct api_feed_batch *batch, int count, uint64_t revision)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "v%d", i);
        add(batch, CHANGE_VARIABLE_CHANGED, name, revision, 1);
    }
}

static void
what_is_too_much_is_lost_and_what_follows_is_not(void **state)
{
    struct api_feed_batch *batch = batch_new(NULL);

    (void)state;
    add_numbered(batch, API_FEED_EVENTS_MAX, 5);
    assert_int_equal(batch->lost, 0);
    add(batch, CHANGE_VARIABLE_CHANGED, "one more", 6, 1);
    assert_int_equal(batch->lost, 6);
    add(batch, CHANGE_VARIABLE_CHANGED, "of the same commit", 6, 1);
    add(batch, CHANGE_VARIABLE_CHANGED, "later", 7, 1);
    close_batch(batch);
    assert_int_equal(batch->count, 1);
    must_be(batch->events[0], 6, CHANGE_VARIABLE_CHANGED, "later", 7, 1);
    api_feed_batch_drop(batch);
}

static void
what_a_commit_could_not_write_down_is_lost(void **state)
{
    struct api_feed_batch *batch = batch_new(&everything);

    (void)state;
    add_numbered(batch, 100, 5);
    add(batch, CHANGE_MANY, "", 5, 0);
    close_batch(batch);
    assert_int_equal(batch->count, 0);
    assert_int_equal(batch->lost, 5);
    api_feed_batch_drop(batch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_has_its_newest_change_in_order),
        cmocka_unit_test(what_is_new_stays_new_for_who_does_not_know_it),
        cmocka_unit_test(filters_look_at_kind_model_and_name),
        cmocka_unit_test(what_is_too_much_is_lost_and_what_follows_is_not),
        cmocka_unit_test(what_a_commit_could_not_write_down_is_lost),
    };

    return cmocka_run_group_tests_name("feed batch", tests, NULL, NULL);
}
