/* Where variables go that come with their values: who draws, who follows whom, and whatever fails,
 * nothing is drawn. */
#include "service/placement/model_newcomers.h"
#include "tests/unit/service/service_fixture.h"

enum { TASKS = 4 };

static void
make_placed(struct domain *d)
{
    struct device_setter_args args = device_setter_args_default();
    struct model_spec spec = {.has_placement = true, .placement = &args};
    struct model_info info;
    uint64_t revision;

    args.has_ps_tasks = true;
    args.ps_tasks = TASKS;
    WORKS(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err), &d->f->err);
}

struct coming {
    const char *name;
    uint32_t rank; /* of dimensions of 2 */
    bool trained;
    int task; /* that it is to be on; -1: as an earlier one of the name, it is not placed */
    bool kept;
};

static struct tensor_type
type_of_rank(uint32_t rank)
{
    struct tensor_type type = {.dtype = DTYPE_FLOAT32, .shape = {.rank = rank}};

    for (uint32_t i = 0; i < rank; i++)
        type.shape.dims[i] = 2;
    return type;
}

static enum err_code
place_them(struct domain *d, struct arena *arena, const struct coming *coming, size_t count,
           struct model_newcomers *out, struct model_record *model, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    bool found = false;

    *out = (struct model_newcomers){.count = 0};
    TRY(store_snapshot_open(d->f->store, &snapshot, err));
    TRY(record_get_model(store_snapshot_view(snapshot), MODEL, &found, model, err));
    for (size_t i = 0; i < count; i++) {
        struct model_newcomer newcomer = {.name = coming[i].name,
                                          .type = type_of_rank(coming[i].rank),
                                          .trained = coming[i].trained};

        TRY(model_newcomers_add(out, arena, &newcomer, err));
    }
    return model_newcomers_place(out, d->service, store_snapshot_view(snapshot), model, model->id,
                                 err);
}

static void
must_be_placed(const struct model_newcomers *n, const struct coming *coming, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct model_newcomer_home *home = n->each[i].home;
        char device[64];

        if (coming[i].task < 0) {
            assert_null(home);
            continue;
        }
        (void)snprintf(device, sizeof device, "/job:ps/task:%d", coming[i].task);
        assert_non_null(home);
        assert_string_equal(home->device, device);
        assert_int_equal(n->each[i].kept, coming[i].kept);
        assert_int_equal(home->placed, RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    }
}

static void
check(struct domain *d, const struct coming *coming, size_t count, uint32_t next)
{
    AUTO(arena) arena;
    struct model_newcomers n;
    struct model_record model;

    arena_init(&arena, SIZE_MAX / 2);
    WORKS(place_them(d, &arena, coming, count, &n, &model, &d->f->err), &d->f->err);
    must_be_placed(&n, coming, count);
    assert_int_equal(n.setter.state.next, next);
}

static void
slots_go_with_their_variables_in_any_order(void **state)
{
    static const struct coming coming[] = {
        {"beta1_power", 0, false, 0, true},
        {"w/Adam_1/ExponentialMovingAverage/biased", 1, false, 0, true},
        {"w/Adam_1/ExponentialMovingAverage/local_step", 0, false, 0, true},
        {"w/Adam_1/ExponentialMovingAverage", 1, false, 0, true},
        {"w/Adam_1", 1, false, 0, true},
        {"w", 1, false, 0, false},
        {"v/Ftrl_12", 2, false, 1, true},
        {"v", 2, true, 1, false},
        {"w", 1, false, -1, false},
        {"u/Momentum", 1, true, 2, false},
        {"u", 1, true, 3, false},
        {"beta2_power_3", 0, false, 0, true},
        {"beta2_power_4", 0, true, 0, false},
    };

    make_placed(*state);
    check(*state, coming, sizeof coming / sizeof *coming, 1);
}

/* A scalar has slots like any other, also one that is a power. */
static void
what_is_kept_for_itself_in_the_end_draws(void **state)
{
    static const struct coming coming[] = {
        {"beta1_power/Adam", 0, false, 0, true},
        {"beta1_power", 0, false, 0, true},
        {"beta1_power_1", 0, false, 0, true},
    };

    make_placed(*state);
    check(*state, coming, 3, 1);
}

static void
what_is_there_is_followed_as_it_is(void **state)
{
    static const struct coming coming[] = {
        {"w/Adam", 1, false, 1, true},      {"w/Adam_1", 2, false, 2, false},
        {"a", 1, false, 3, false},          {"a/Adam", 1, false, 3, true},
        {"beta1_power", 0, false, 1, true},
    };
    struct domain *d = *state;

    make_placed(d);
    declare(d, "b", DTYPE_FLOAT32, (struct shape){.rank = 1, .dims = {2}});
    declare(d, "w", DTYPE_FLOAT32, (struct shape){.rank = 1, .dims = {2}});
    check(d, coming, sizeof coming / sizeof *coming, 0);
}

static void
without_memory_it_fails_and_says_so(void **state)
{
    static const struct coming coming[] = {{"w", 1, false, 0, false},
                                           {"w/Adam", 1, false, 0, true},
                                           {"beta1_power", 0, false, 0, true}};
    struct domain *d = *state;
    enum err_code code = ERR_NO_MEMORY;
    unsigned nth = 1;

    make_placed(d);
    for (; code != OK; nth++) {
        AUTO(arena) arena;
        struct model_newcomers n;
        struct model_record model;

        arena_init(&arena, SIZE_MAX / 2);
        (void)mem_fail_at(nth, 0);
        code = place_them(d, &arena, coming, 3, &n, &model, &d->f->err);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        if (code == OK)
            must_be_placed(&n, coming, 3);
        err_clear(&d->f->err);
    }
    assert_true(nth > 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(slots_go_with_their_variables_in_any_order),
        DOMAIN_TEST(what_is_kept_for_itself_in_the_end_draws),
        DOMAIN_TEST(what_is_there_is_followed_as_it_is),
        DOMAIN_TEST(without_memory_it_fails_and_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
