/* Saving, listing, looking into and deleting checkpoints. */
#include "tests/unit/service/service_fixture.h"

enum { BIG = 300001 };

static void
make_some(struct domain *d)
{
    static const int64_t step[] = {1000};
    uint8_t *data = some_bytes(BIG * 4, 1);
    const char *const local[] = {"local_variables"};
    struct variable_spec spec = spec_named("local");
    struct shape shape = scalar();

    create_literal(d, "global_step", DTYPE_INT64, scalar(), step);
    create_literal(d, "layer/b", DTYPE_UINT8, exprs_shape(1, 3000), data);
    declare(d, "layer/w", DTYPE_FLOAT32, exprs_shape(1, BIG));
    initialize_all(d);
    assign(d, "layer/w", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    spec.collections = local;
    spec.collection_count = 1;
    spec.dtype = DTYPE_INT32;
    spec.shape = &shape;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    free(data);
}

struct looked {
    char names[8][32];
    struct checkpoint_tensor tensors[8];
    size_t count;
};

static enum err_code
keep_tensor(void *context, const struct checkpoint_tensor *tensor, struct err *err)
{
    struct looked *looked = context;

    if (looked->count == 8)
        return err_set(err, ERR_INTERNAL, "too many");
    looked->tensors[looked->count] = *tensor;
    snprintf(looked->names[looked->count++], 32, "%.*s", (int)tensor->name.size,
             (const char *)tensor->name.data);
    return OK;
}

static enum err_code
look(struct domain *d, const char *name, struct checkpoint_info *info, struct looked *out)
{
    AUTO(buf) metadata;

    buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
    *out = (struct looked){.count = 0};
    return checkpoint_inspect(d->service, MODEL, name, info, &metadata, keep_tensor, out,
                              &d->f->err);
}

static void
saving_all_takes_the_default_collection_and_copies_nothing(void **state)
{
    struct domain *d = *state;
    struct checkpoint_info info, seen;
    struct looked looked;
    uint64_t before;

    make_some(d);
    before = chunks(d);
    info = save(d, "model.ckpt");
    assert_int_equal(chunks(d), before);
    assert_string_equal(info.name, "model.ckpt");
    assert_int_equal(info.record.tensors, 3);
    assert_int_equal(info.record.bytes, BIG * 4 + 3000 + 8);
    assert_false(info.record.has_global_step);
    assert_int_equal(info.record.revision, service_revision(d->service));
    WORKS(look(d, "model.ckpt", &seen, &looked), &d->f->err);
    assert_int_equal(seen.record.id, info.record.id);
    assert_int_equal(looked.count, 3);
    assert_string_equal(looked.names[0], "global_step");
    assert_string_equal(looked.names[2], "layer/w");
    assert_int_equal(looked.tensors[1].type.dtype, DTYPE_UINT8);
    assert_int_equal(usage_of_model(d).checkpoints, 1);
    assert_int_equal(usage_of_model(d).checkpoint_bytes, BIG * 4 + 3000 + 8);
}

static void
a_list_a_map_or_a_prefix_choose_what_is_saved(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {
        {"weights of the day", "layer/w"}, {"again", "layer/w"}, {"b", "layer/b"}};
    struct checkpoint_info info;
    struct looked looked;

    make_some(d);
    WORKS(try_save(d, (struct checkpoint_save_spec){.name = "p", .prefix = "layer/"}, &info),
          &d->f->err);
    assert_int_equal(info.record.tensors, 2);
    WORKS(try_save(d, (struct checkpoint_save_spec){.name = "m", .picks = picks, .pick_count = 3},
                   &info),
          &d->f->err);
    assert_int_equal(info.record.bytes, 2 * BIG * 4 + 3000);
    WORKS(look(d, "m", &info, &looked), &d->f->err);
    assert_string_equal(looked.names[0], "again");
    assert_string_equal(looked.names[2], "weights of the day");
    assert_int_equal(looked.tensors[0].crc32c, looked.tensors[2].crc32c);
}

/* Where one lies among the tensors of a checkpoint. */
static uint32_t
position_of(struct domain *d, const char *checkpoint, const char *tensor)
{
    struct tensor_set set = {0};
    struct checkpoint_info info;
    uint32_t position = UINT32_MAX;
    AUTO(buf) metadata;

    buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
    WORKS(checkpoint_read_all(d->service, MODEL, checkpoint, &info, &metadata, &set, &d->f->err),
          &d->f->err);
    assert_int_equal(info.record.shards, 1);
    for (size_t i = 0; i < set.entry_count; i++)
        if (strcmp(set.entries[i].name, tensor) == 0)
            position = set.entries[i].position;
    tensor_set_drop(&set);
    return position;
}

static void
tensors_are_saved_in_the_order_of_their_names(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {
        {"z", "layer/w"}, {"a", "global_step"}, {"b", "layer/b"}};

    make_some(d);
    WORKS(try_save(d, (struct checkpoint_save_spec){.name = "m", .picks = picks, .pick_count = 3},
                   NULL),
          &d->f->err);
    assert_int_equal(position_of(d, "m", "a"), 0);
    assert_int_equal(position_of(d, "m", "b"), 1);
    assert_int_equal(position_of(d, "m", "z"), 2);
    (void)save(d, "all");
    assert_int_equal(position_of(d, "all", "layer/w"), 2);
}

static void
what_cannot_be_saved_is_refused_and_nothing_is_left(void **state)
{
    struct domain *d = *state;
    const struct checkpoint_pick picks[] = {{"x", "layer/w"}, {"x", "layer/b"}},
                                 local[] = {{"x", "local"}}, absent[] = {{"x", "absent"}},
                                 illegal[] = {{"", "layer/w"}};
    struct checkpoint_save_spec spec = {.name = "c", .picks = picks, .pick_count = 2};
    char *long_text = calloc(1, 3000);
    uint64_t before;

    make_some(d);
    before = records(d);
    memset(long_text, 'x', 2999);
    REFUSES(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, "same name in the checkpoint: 'x'",
            &d->f->err);
    spec = (struct checkpoint_save_spec){.name = "c", .picks = local, .pick_count = 1};
    REFUSES(try_save(d, spec, NULL), ERR_FAILED_PRECONDITION, "uninitialized value local",
            &d->f->err);
    spec.picks = absent;
    FAILS(try_save(d, spec, NULL), ERR_NOT_FOUND, &d->f->err);
    spec.picks = illegal;
    FAILS(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    spec.pick_count = 0;
    REFUSES(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, "No variables to save", &d->f->err);
    spec = (struct checkpoint_save_spec){.name = "c", .prefix = "zzz"};
    REFUSES(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, "none begins with 'zzz'", &d->f->err);
    spec.prefix = long_text;
    FAILS(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    spec = (struct checkpoint_save_spec){.name = long_text};
    FAILS(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    long_text[250] = '\0';
    spec.has_global_step = true;
    spec.global_step = 123456;
    REFUSES(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, "257 bytes", &d->f->err);
    assert_int_equal(records(d), before);
    spec = (struct checkpoint_save_spec){.name = "c", .prefix = "zzz", .allow_empty = true};
    WORKS(try_save(d, spec, NULL), &d->f->err);
    free(long_text);
}

static void
the_global_step_is_given_or_read_in_the_commit(void **state)
{
    static const float half[] = {0.5f};
    static const uint8_t small[] = {200};
    static const int32_t two[] = {1, 2};
    struct domain *d = *state;
    struct checkpoint_save_spec spec = {.name = "c", .global_step_variable = "global_step"};
    struct checkpoint_info info;

    make_some(d);
    WORKS(try_save(d, spec, &info), &d->f->err);
    assert_string_equal(info.name, "c-1000");
    assert_true(info.record.has_global_step && info.record.global_step == 1000);
    create_literal(d, "half", DTYPE_FLOAT32, scalar(), half);
    create_literal(d, "small", DTYPE_UINT8, scalar(), small);
    create_literal(d, "two", DTYPE_INT32, exprs_shape(1, 2), two);
    initialize_all(d);
    spec.global_step_variable = "small";
    WORKS(try_save(d, spec, &info), &d->f->err);
    assert_string_equal(info.name, "c-200");
    spec.global_step_variable = "half";
    REFUSES(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, "must be an integer scalar", &d->f->err);
    spec.global_step_variable = "two";
    REFUSES(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, "it is int32[2]", &d->f->err);
    spec.global_step_variable = "local";
    FAILS(try_save(d, spec, NULL), ERR_FAILED_PRECONDITION, &d->f->err);
    spec.global_step_variable = "absent";
    FAILS(try_save(d, spec, NULL), ERR_NOT_FOUND, &d->f->err);
    spec = (struct checkpoint_save_spec){
        .name = "c", .has_global_step = true, .global_step = INT64_MIN};
    WORKS(try_save(d, spec, &info), &d->f->err);
    assert_string_equal(info.name, "c--9223372036854775808");
}

static void
an_existing_name_needs_overwrite(void **state)
{
    struct domain *d = *state;
    struct checkpoint_save_spec spec = {.name = "c"};
    struct write_options fresh = {.if_none_match = true};
    struct checkpoint_info first, second;
    struct run_report report;
    struct looked looked;
    uint64_t before;

    make_some(d);
    WORKS(try_save(d, spec, &first), &d->f->err);
    assert_false(first.replaced);
    before = records(d);
    REFUSES(try_save(d, spec, NULL), ERR_ALREADY_EXISTS, "'c' exists already", &d->f->err);
    FAILS(checkpoint_save(d->service, MODEL, &spec, &fresh, &report, &d->f->err),
          ERR_PRECONDITION_FAILED, &d->f->err);
    spec.overwrite = true;
    spec.prefix = "layer/";
    WORKS(try_save(d, spec, &second), &d->f->err);
    assert_true(second.replaced);
    assert_true(second.record.id > first.record.id);
    assert_int_equal(second.record.tensors, 2);
    assert_int_equal(records(d), before - 1);
    assert_int_equal(usage_of_model(d).checkpoints, 1);
    spec.prefix = "zzz"; /* fails after the old one was taken away: it comes back */
    FAILS(try_save(d, spec, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    WORKS(look(d, "c", &first, &looked), &d->f->err);
    assert_int_equal(first.record.id, second.record.id);
}

/* --- looking --- */

struct order {
    char names[8][32];
    size_t count;
};

static enum err_code
keep_order(void *context, const struct checkpoint_info *info, struct err *err)
{
    struct order *order = context;

    (void)err;
    assert_in_range(order->count, 0, 7);
    snprintf(order->names[order->count++], 32, "%.31s", info->name);
    return OK;
}

static void
checkpoints_are_listed_newest_first(void **state)
{
    struct domain *d = *state;
    struct checkpoint_save_spec again = {.name = "b", .overwrite = true};
    struct order order = {.count = 0};
    struct checkpoint_info info;
    struct looked looked;
    uint64_t revision, gone;
    bool more = false;

    make_some(d);
    FAILS(checkpoint_latest(d->service, MODEL, NULL, &info, &d->f->err), ERR_NOT_FOUND, &d->f->err);
    (void)save(d, "c");
    (void)save(d, "b");
    (void)save(d, "z");
    (void)save(d, "a");
    WORKS(try_save(d, again, NULL), &d->f->err);
    WORKS(checkpoint_list(d->service, MODEL, 0, 3, false, keep_order, &order, &more, &revision,
                          &d->f->err),
          &d->f->err);
    assert_true(more);
    assert_string_equal(order.names[0], "b");
    assert_string_equal(order.names[1], "a");
    assert_string_equal(order.names[2], "z");
    WORKS(look(d, "z", &info, &looked), &d->f->err);
    WORKS(checkpoint_list(d->service, MODEL, info.record.id, 3, false, keep_order, &order, &more,
                          &revision, &d->f->err),
          &d->f->err);
    assert_false(more);
    assert_int_equal(order.count, 4);
    assert_string_equal(order.names[3], "c");
    WORKS(checkpoint_latest(d->service, MODEL, NULL, &info, &d->f->err), &d->f->err);
    assert_string_equal(info.name, "b");
    gone = info.record.id;
    WORKS(checkpoint_delete(d->service, MODEL, "b", NULL, &revision, &d->f->err), &d->f->err);
    WORKS(checkpoint_latest(d->service, MODEL, NULL, &info, &d->f->err), &d->f->err);
    assert_string_equal(info.name, "a");
    /* A page goes on from where it was, also when that checkpoint is gone by then. */
    order.count = 0;
    WORKS(checkpoint_list(d->service, MODEL, gone, 3, false, keep_order, &order, &more, &revision,
                          &d->f->err),
          &d->f->err);
    assert_int_equal(order.count, 3);
    assert_string_equal(order.names[0], "a");
    FAILS(look(d, "b", &info, &looked), ERR_NOT_FOUND, &d->f->err);
}

static void
shared_bytes_become_unique_as_the_variable_changes(void **state)
{
    static const float one[] = {1};
    struct domain *d = *state;
    struct checkpoint_info info;
    struct looked looked;
    struct memory_source from = memory_of(one, 4);
    struct tensor_source source = source_of(&from);
    struct tensor_type type = type_of(DTYPE_FLOAT32, scalar());
    struct variable_assign_options how = {.slice = bytes_of_text("5")};
    struct variable_change change;
    uint64_t revision, before;

    make_some(d);
    (void)save(d, "c");
    before = chunks(d);
    WORKS(look(d, "c", &info, &looked), &d->f->err);
    assert_int_equal(looked.tensors[2].unique_bytes, 0);
    assert_int_equal(looked.tensors[2].shared_bytes, BIG * 4);
    WORKS(variable_assign(d->service, MODEL, "layer/w", &type, 4, &source, &how, NULL, &change,
                          &d->f->err),
          &d->f->err);
    WORKS(look(d, "c", &info, &looked), &d->f->err);
    assert_int_equal(looked.tensors[2].unique_bytes, STORE_BULK_BYTES);
    assert_int_equal(looked.tensors[2].shared_bytes, BIG * 4 - STORE_BULK_BYTES);
    assert_int_equal(chunks(d), before + 1);
    delete_variable(d, "layer/w");
    WORKS(look(d, "c", &info, &looked), &d->f->err);
    assert_int_equal(looked.tensors[2].unique_bytes, BIG * 4);
    assert_int_equal(chunks(d), before);
    WORKS(checkpoint_delete(d->service, MODEL, "c", NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(chunks(d), 0);
}

static void
tensors_of_a_checkpoint_are_read_alone_and_together(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    struct checkpoint_info info;
    struct tensor_set set = {0};
    AUTO(buf) metadata;

    buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
    make_some(d);
    info = save(d, "c");
    delete_variable(d, "layer/w");
    WORKS(checkpoint_read(d->service, MODEL, "c", "layer/w", bytes_of(NULL, 0), DTYPE_UNSET, false,
                          &set, &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
    assert_int_equal(set.entries[0].revision, info.record.revision);
    tensor_set_drop(&set);
    WORKS(checkpoint_read(d->service, MODEL, "c", "layer/b", bytes_of_text("7:9"), DTYPE_UNSET,
                          false, &set, &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_UINT8, exprs_shape(1, 2), data + 7, 2);
    tensor_set_drop(&set);
    REFUSES(checkpoint_read(d->service, MODEL, "c", "x", bytes_of(NULL, 0), DTYPE_UNSET, false,
                            &set, &d->f->err),
            ERR_NOT_FOUND, "Key x not found in checkpoint", &d->f->err);
    WORKS(checkpoint_read_all(d->service, MODEL, "c", &info, &metadata, &set, &d->f->err),
          &d->f->err);
    assert_int_equal(set.entry_count, 3);
    set_must_hold(&set, 2, DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
    tensor_set_drop(&set);
    assert_int_equal(metadata.size, 0);
    free(data);
}

static void
a_save_or_deletion_that_runs_out_of_memory_changes_nothing(void **state)
{
    struct domain *d = *state;
    struct checkpoint_save_spec spec = {.name = "c"};
    uint64_t nth = 1, before, revision;
    enum err_code code = ERR_NO_MEMORY;

    make_some(d);
    before = records(d);
    for (; nth < 500 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = try_save(d, spec, NULL);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
    }
    assert_in_range(nth, 5, 499);
    before = records(d);
    code = ERR_NO_MEMORY;
    for (nth = 1; nth < 500 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = checkpoint_delete(d->service, MODEL, "c", NULL, &revision, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
    }
    assert_in_range(nth, 3, 499);
    assert_int_equal(usage_of_model(d).checkpoints, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(saving_all_takes_the_default_collection_and_copies_nothing),
        DOMAIN_TEST(a_list_a_map_or_a_prefix_choose_what_is_saved),
        DOMAIN_TEST(tensors_are_saved_in_the_order_of_their_names),
        DOMAIN_TEST(what_cannot_be_saved_is_refused_and_nothing_is_left),
        DOMAIN_TEST(the_global_step_is_given_or_read_in_the_commit),
        DOMAIN_TEST(an_existing_name_needs_overwrite),
        DOMAIN_TEST(checkpoints_are_listed_newest_first),
        DOMAIN_TEST(shared_bytes_become_unique_as_the_variable_changes),
        DOMAIN_TEST(tensors_of_a_checkpoint_are_read_alone_and_together),
        DOMAIN_TEST(a_save_or_deletion_that_runs_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
