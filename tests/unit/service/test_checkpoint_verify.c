/* Verifying a checkpoint: whatever is damaged is told, tensor by tensor, and the rest is still
 * looked at. Flipped payloads are a matter of files: tests/http/h08. */
#include "service/saving/checkpoint_verify.h"
#include "store/key.h"
#include "tests/unit/service/damage.h"

enum { BIG = 300001 };

static uint64_t
make_one(struct domain *d)
{
    uint8_t *data = some_bytes(BIG, 1);

    declare(d, "a", DTYPE_UINT8, exprs_shape(1, BIG));
    declare(d, "b", DTYPE_UINT8, exprs_shape(1, 5000));
    declare(d, "c", DTYPE_UINT8, exprs_shape(1, 3));
    assign(d, "a", DTYPE_UINT8, exprs_shape(1, BIG), data);
    assign(d, "b", DTYPE_UINT8, exprs_shape(1, 5000), data);
    assign(d, "c", DTYPE_UINT8, exprs_shape(1, 3), data);
    free(data);
    return save(d, "kept").record.id;
}

/* Owned: drop. */
static struct checkpoint_verification *
verify(struct domain *d)
{
    struct checkpoint_verification *found = calloc(1, sizeof *found);

    assert_non_null(found);
    WORKS(checkpoint_verify(d->service, MODEL, "kept", found, &d->f->err), &d->f->err);
    return found;
}

static void
drop(struct checkpoint_verification *found)
{
    checkpoint_verification_drop(found);
    free(found);
}

static void
a_whole_checkpoint_is_read_to_the_end(void **state)
{
    struct domain *d = *state;
    struct checkpoint_verification *found;

    (void)make_one(d);
    found = verify(d);
    assert_int_equal(found->mismatch_count, 0);
    assert_int_equal(found->tensors, 3);
    assert_int_equal(found->bytes, BIG + 5000 + 3);
    assert_int_equal(found->checked_bytes, BIG);
    assert_int_equal(found->revision, service_revision(d->service));
    drop(found);
}

/* With this record in place of the present one exactly one tensor is told of, with these words. */
static void
must_be_told(struct domain *d, struct damage *damage, const char *tensor, const char *words,
             uint64_t tensors)
{
    struct damage *before = record_at(d, damage->key);
    struct checkpoint_verification *found;

    apply(d, damage);
    found = verify(d);
    assert_int_equal(found->tensors, tensors);
    assert_int_equal(found->mismatch_count, 1);
    if (tensor == NULL)
        assert_null(found->mismatches[0].tensor.data);
    else
        assert_true(bytes_equal(found->mismatches[0].tensor, bytes_of_text(tensor)));
    if (strstr(found->mismatches[0].reason, words) == NULL)
        fail_msg("'%s', not '%s'", found->mismatches[0].reason, words);
    drop(found);
    apply(d, before);
    free(before);
    free(damage);
}

static void
damaged_records_are_told_and_the_others_still_read(void **state)
{
    struct domain *d = *state;
    uint64_t id = make_one(d);

    must_be_told(d, flipped(d, record_key_tensor(id, bytes_of_text("a")), 0), "a", "format", 3);
    must_be_told(d, flipped(d, record_key_tensor(id, bytes_of_text("b")), 0), "b", "format", 3);
    must_be_told(d, gone(d, record_key_tensor(id, bytes_of_text("c"))), NULL,
                 "2 tensors, its record says 3", 2);
}

static void
damaged_lists_are_told_of_their_tensor(void **state)
{
    struct domain *d = *state;
    struct store_snapshot *snapshot = NULL;
    struct tensor_record tensor;
    struct record_key head = {.size = 0}, list = {.size = 0};
    struct store_key key;
    uint64_t id = make_one(d);
    bool there = false;

    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_tensor(store_snapshot_view(snapshot), id, bytes_of_text("a"), &there, &tensor,
                            &d->f->err),
          &d->f->err);
    store_snapshot_drop(snapshot);
    key = store_key_value(tensor.value.id);
    memcpy(head.bytes, key.bytes, head.size = key.size);
    key = store_key_list(tensor.value.id, 0);
    memcpy(list.bytes, key.bytes, list.size = key.size);
    must_be_told(d, flipped(d, head, 0), "a", "damaged", 3);
    must_be_told(d, gone(d, head), "a", "does not exist", 3);
    must_be_told(d, gone(d, list), "a", "segment", 3);
    must_be_told(d, flipped(d, list, 8), "a", "its list says", 3); /* a checksum in it */
}

static void
what_is_not_there_is_not_verified(void **state)
{
    struct domain *d = *state;
    struct checkpoint_verification *found = calloc(1, sizeof *found);

    assert_non_null(found);
    REFUSES(checkpoint_verify(d->service, MODEL, "ghost", found, &d->f->err), ERR_NOT_FOUND,
            "'ghost'", &d->f->err);
    drop(found);
}

static void
memory_that_is_short_is_an_error_and_leaks_nothing(void **state)
{
    struct domain *d = *state;
    enum err_code code = ERR_NO_MEMORY;

    (void)make_one(d);
    for (uint64_t nth = 1; code != OK; nth++) {
        struct checkpoint_verification *found = calloc(1, sizeof *found);

        assert_non_null(found);
        assert_in_range(nth, 1, 1000);
        (void)mem_fail_at(nth, 0);
        code = checkpoint_verify(d->service, MODEL, "kept", found, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code != OK)
            assert_int_equal(code, ERR_NO_MEMORY);
        err_clear(&d->f->err);
        drop(found);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_whole_checkpoint_is_read_to_the_end),
        DOMAIN_TEST(damaged_records_are_told_and_the_others_still_read),
        DOMAIN_TEST(damaged_lists_are_told_of_their_tensor),
        DOMAIN_TEST(what_is_not_there_is_not_verified),
        DOMAIN_TEST(memory_that_is_short_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
