/* Records of accumulations: verification finds what does not fit together, and no damage is worse
 * than DATA_LOSS. */
#include "tests/unit/service/accumulation_inputs.h"
#include "tests/unit/service/damage.h"

static const float rows[4] = {1, 1, 1, 1};
static const int64_t both[2] = {1, 0};

struct ids {
    uint64_t model, accumulation;
};

/* "k" is open, "done" was applied, both sparse. */
static struct ids
make_some(struct domain *d)
{
    static const float zero[4];
    struct store_snapshot *snapshot = NULL;
    struct accumulation_record accumulation;
    struct model_record model;
    struct ids ids = {0};
    struct contribution *c;
    bool found = false;

    furnish(d, DTYPE_FLOAT32, exprs_shape(2, 2, 2), zero);
    contributes(d, sparse_of("done", 1, both, 2, 2, rows), OPTIMIZER_CONTRIBUTED_LAST, 1);
    contributes(d, sparse_of("again", 1, both, 2, 2, rows), OPTIMIZER_CONTRIBUTED_LAST, 1);
    c = sparse_of("k", 3, both, 2, 2, rows);
    c->accumulate.worker = "a";
    contributes(d, c, OPTIMIZER_CONTRIBUTED, 1);
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    WORKS(record_get_accumulation(store_snapshot_view(snapshot), model.id, "o", "k", &found,
                                  &accumulation, &d->f->err),
          &d->f->err);
    assert_true(found);
    store_snapshot_drop(snapshot);
    ids.model = model.id;
    ids.accumulation = accumulation.id;
    return ids;
}

static void
what_does_not_fit_together_is_found(void **state_)
{
    struct domain *d = *state_;
    struct ids ids = make_some(d);
    struct record_key accumulation = record_key_accumulation(ids.model, "o", "k");
    struct record_key sum = record_key_sum(ids.accumulation, "w");
    struct record_key worker = record_key_worker(ids.accumulation, "a");
    struct record_key steps = record_key_steps(ids.model, "o");

    must_be_found(d, gone(d, worker), "1 sums and 0 workers, its record says 1 and 1");
    must_be_found(d, moved(d, worker, record_key_worker(ids.accumulation, "b")), "and 2 workers");
    must_be_found(d, moved(d, worker, record_key_worker(1000000, "a")), "workers of accumulations");
    must_be_found(d, gone(d, accumulation), "sums of accumulations");
    must_be_found(d, moved(d, accumulation, record_key_accumulation(ids.model, "p", "k")),
                  "of an optimizer that is not there");
    must_be_found(d, moved(d, accumulation, record_key_accumulation(1000000, "o", "k")),
                  "there are 2 accumulations");
    must_be_found(d, moved(d, accumulation, record_key_accumulation(ids.model, "o", "done")),
                  "was applied and is open");
    must_be_found(d, moved(d, steps, record_key_steps(ids.model, "p")), "'p', which is not there");
    must_be_found(d, moved(d, steps, record_key_steps(1000000, "o")), "steps of optimizers");
    must_be_found(d, flipped(d, accumulation, 0), "a model's accumulation record has format");
    must_be_found(d, flipped(d, sum, 0), "a sum of gradients record has format");
    must_be_found(d, flipped(d, steps, 0), "a step list record has format");
    /* the revision of the first of two */
    must_be_found(d, flipped(d, steps, 1 + 4 + 4 + strlen("done") + 4 + 6), "out of order");
}

typedef enum err_code decode_one(struct bytes record, struct err *err);

static enum err_code
decode_accumulation(struct bytes record, struct err *err)
{
    struct accumulation_record out;

    return record_decode_accumulation(record, &out, err);
}

static enum err_code
decode_sum(struct bytes record, struct err *err)
{
    struct sum_record out;

    return record_decode_sum(record, &out, err);
}

static enum err_code
decode_steps(struct bytes record, struct err *err)
{
    struct steps_record out;

    return record_decode_steps(record, &out, err);
}

/* Every byte of it changed, every end of it cut off. */
static void
damage_at(struct domain *d, struct record_key key, decode_one *decode)
{
    struct damage *whole = record_at(d, key);
    size_t refused = 0;

    assert_true(whole->there);
    for (size_t i = 0; i < 2 * whole->size; i++) {
        struct damage now = *whole;
        enum err_code code;

        if (i < whole->size)
            now.bytes[i] ^= 0xff;
        else
            now.size = i - whole->size;
        code = decode(bytes_of(now.bytes, now.size), &d->f->err);
        refused += code == ERR_DATA_LOSS;
        assert_true(code == OK || code == ERR_DATA_LOSS);
        err_clear(&d->f->err);
    }
    assert_in_range(refused, whole->size, 2 * whole->size);
    free(whole);
}

static void
any_damage_to_a_record_is_survived(void **state_)
{
    struct domain *d = *state_;
    struct ids ids = make_some(d);

    damage_at(d, record_key_accumulation(ids.model, "o", "k"), decode_accumulation);
    damage_at(d, record_key_sum(ids.accumulation, "w"), decode_sum);
    damage_at(d, record_key_steps(ids.model, "o"), decode_steps);
}

/* A sum whose rows are out of order would be merged wrongly. */
static void
rows_out_of_order_are_damage(void **state_)
{
    struct domain *d = *state_;
    struct ids ids = make_some(d);
    struct record_key key = record_key_sum(ids.accumulation, "w");
    struct damage *before = record_at(d, key), *now = record_at(d, key);
    /* row 1, in the values, numbers and counts that lie in the record */
    const uint8_t numbers[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    uint8_t *at = memmem(now->bytes, now->size, numbers, sizeof numbers);

    assert_non_null(at);
    at[8] = 0;
    apply(d, now);
    REFUSES(try_contribute(d, sparse_of("k", 3, both, 2, 2, rows)), ERR_DATA_LOSS, "out of order",
            &d->f->err);
    at[8] = 2;
    apply(d, now);
    REFUSES(try_contribute(d, sparse_of("k", 3, both, 2, 2, rows)), ERR_DATA_LOSS, "out of order",
            &d->f->err);
    apply(d, before);
    contributes(d, sparse_of("k", 3, both, 2, 2, rows), OPTIMIZER_CONTRIBUTED, 2);
    free(before);
    free(now);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_does_not_fit_together_is_found),
        DOMAIN_TEST(any_damage_to_a_record_is_survived),
        DOMAIN_TEST(rows_out_of_order_are_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
