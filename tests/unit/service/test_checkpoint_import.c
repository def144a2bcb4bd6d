/* Checkpoints made of tensors that arrive from elsewhere. */
#include "tests/unit/service/service_fixture.h"

enum { BIG = 700001 };

struct import {
    struct checkpoint_import tensors[4];
    size_t count;
    const struct bytes *metadata;
    size_t metadata_count;
    bool overwrite;
};

static struct checkpoint_import
tensor_of(const char *name, enum dtype dtype, struct shape shape)
{
    struct checkpoint_import tensor = {.name = bytes_of_text(name), .type = type_of(dtype, shape)};

    tensor.size = tensor_type_bytes(&tensor.type);
    return tensor;
}

static enum err_code
run_import(struct domain *d, const char *name, const struct import *import,
           struct memory_source *from, struct checkpoint_info *out)
{
    struct tensor_source source = source_of(from);
    uint64_t revision;

    return checkpoint_import(d->service, MODEL, name, import->tensors, import->count,
                             import->metadata, import->metadata_count, &source, import->overwrite,
                             NULL, out, &revision, &d->f->err);
}

static struct import
some_import(int size)
{
    struct import import = {
        .tensors = {tensor_of("día:0", DTYPE_UINT8, exprs_shape(1, size)),
                    tensor_of("empty", DTYPE_FLOAT64, exprs_shape(2, 0, 3)),
                    tensor_of("a b", DTYPE_FLOAT32, exprs_shape(1, 7))},
        .count = 3,
    };
    import.tensors[1].shard = 2;
    return import;
}

static void
imported_tensors_are_read_back(void **state)
{
    static const int sizes[] = {5, BIG};
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG + 28, 1);

    for (size_t i = 0; i < 2; i++) {
        struct import import = some_import(sizes[i]);
        struct memory_source from = memory_of(data, BIG + 28);
        struct tensor_set set = {0};
        struct checkpoint_info info;
        AUTO(buf) metadata;

        buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
        import.overwrite = i > 0;
        WORKS(run_import(d, "imported", &import, &from, &info), &d->f->err);
        assert_int_equal(info.replaced, i > 0);
        assert_int_equal(info.record.tensors, 3);
        assert_int_equal(info.record.bytes, sizes[i] + 28);
        WORKS(
            checkpoint_read_all(d->service, MODEL, "imported", &info, &metadata, &set, &d->f->err),
            &d->f->err);
        assert_string_equal(set.entries[1].name, "día:0");
        /* The file's order is known beside the names'. */
        assert_int_equal(set.entries[0].position, 2);
        assert_int_equal(set.entries[1].position, 0);
        assert_int_equal(set.entries[2].position, 1);
        assert_true(info.record.shards == 3 && set.entries[2].shard == 2);
        set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, 7), data + sizes[i], 28);
        set_must_hold(&set, 1, DTYPE_UINT8, exprs_shape(1, sizes[i]), data, (size_t)sizes[i]);
        set_must_hold(&set, 2, DTYPE_FLOAT64, exprs_shape(2, 0, 3), NULL, 0);
        tensor_set_drop(&set);
    }
    assert_int_equal(usage_of_model(d).checkpoint_bytes, BIG + 28);
    free(data);
}

static void
metadata_of_any_size_are_kept_and_freed(void **state)
{
    struct domain *d = *state;
    uint8_t *long_text = some_bytes(900000, 1);
    const struct bytes metadata[] = {bytes_of_text("format"), bytes_of_text("pt"),
                                     bytes_of_text("notes"), bytes_of(long_text, 900000)};
    struct import import = {.metadata = metadata, .metadata_count = 2};
    struct memory_source from = memory_of("", 0);
    struct checkpoint_info info;
    struct tensor_set set = {0};
    struct reader in;
    uint64_t revision;
    AUTO(buf) kept;

    buf_init(&kept, CHECKPOINT_METADATA_BYTES_MAX);
    WORKS(run_import(d, "c", &import, &from, &info), &d->f->err);
    WORKS(checkpoint_read_all(d->service, MODEL, "c", &info, &kept, &set, &d->f->err), &d->f->err);
    tensor_set_drop(&set);
    in = reader_of(buf_bytes(&kept));
    for (size_t i = 0; i < 4; i++)
        assert_true(bytes_equal(reader_bytes(&in), metadata[i]));
    assert_true(reader_ended_well(&in));
    import.overwrite = true;
    import.metadata_count = 1;
    WORKS(run_import(d, "c", &import, &from, &info), &d->f->err);
    assert_int_equal(chunks(d), 0);
    import.metadata_count = 2;
    WORKS(run_import(d, "c", &import, &from, &info), &d->f->err);
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(chunks(d), 0);
    model_make(d, MODEL);
    {
        const struct bytes huge[] = {bytes_of_text("a"), bytes_of(long_text, 900000),
                                     bytes_of_text("b"), bytes_of(long_text, 200000)};

        import.metadata = huge;
        FAILS(run_import(d, "c", &import, &from, &info), ERR_PAYLOAD_TOO_LARGE, &d->f->err);
    }
    free(long_text);
}

static void
what_is_wrong_is_refused_and_leaves_nothing(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG + 28, 1);
    struct import import = some_import(BIG);
    struct memory_source from = memory_of(data, BIG + 28);
    struct checkpoint_info info;
    uint64_t before = records(d);

    FAILS(run_import(d, "a b", &import, &from, &info), ERR_INVALID_ARGUMENT, &d->f->err);
    import.tensors[2].size = 27;
    REFUSES(run_import(d, "c", &import, &from, &info), ERR_INVALID_ARGUMENT,
            "'a b' is float32[7] and takes 28 bytes, the value has 27", &d->f->err);
    import = some_import(BIG);
    import.tensors[2].name = bytes_of_text("\xff");
    FAILS(run_import(d, "c", &import, &from, &info), ERR_INVALID_ARGUMENT, &d->f->err);
    assert_int_equal(from.read, 0);
    import.tensors[2].name = bytes_of_text("empty");
    REFUSES(run_import(d, "c", &import, &from, &info), ERR_INVALID_ARGUMENT, "same name",
            &d->f->err);
    import = some_import(BIG);
    from = memory_of(data, BIG + 28);
    from.fail_after = BIG + 27;
    FAILS(run_import(d, "c", &import, &from, &info), ERR_UNAVAILABLE, &d->f->err);
    import.tensors[0].type.dtype = DTYPE_BOOL;
    from = memory_of(data, BIG + 28);
    FAILS(run_import(d, "c", &import, &from, &info), ERR_INVALID_ARGUMENT, &d->f->err);
    assert_int_equal(chunks(d), 0);
    assert_int_equal(records(d), before);
    d->limits.tensor_bytes_max = BIG - 1;
    domain_restart(d);
    import = some_import(BIG);
    FAILS(run_import(d, "c", &import, &from, &info), ERR_FULL, &d->f->err);
    d->limits.variables_per_request_max = 2;
    domain_restart(d);
    FAILS(run_import(d, "c", &import, &from, &info), ERR_INVALID_ARGUMENT, &d->f->err);
    free(data);
}

static void
an_existing_name_is_known_before_a_byte_is_read(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG + 28, 1);
    struct import import = some_import(BIG), none = {.count = 0};
    struct memory_source from = memory_of(data, BIG + 28);
    struct checkpoint_info info;

    WORKS(run_import(d, "c", &none, &from, &info), &d->f->err);
    assert_int_equal(run_import(d, "c", &import, &from, &info), ERR_ALREADY_EXISTS);
    assert_string_equal(d->f->err.about, "c");
    err_clear(&d->f->err);
    assert_int_equal(from.read, 0);
    free(data);
}

static void
an_import_that_runs_out_of_memory_leaves_nothing(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG + 28, 1);
    const struct bytes metadata[] = {bytes_of_text("format"), bytes_of(data, 5000)};
    struct import import = some_import(BIG);
    uint64_t nth = 1, before = records(d);
    enum err_code code = ERR_NO_MEMORY;

    import.metadata = metadata;
    import.metadata_count = 1;
    for (; nth < 500 && code != OK; nth++) {
        struct memory_source from = memory_of(data, BIG + 28);
        struct checkpoint_info info;

        (void)mem_fail_at(nth, 0);
        code = run_import(d, "c", &import, &from, &info);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(records(d), before);
        assert_int_equal(chunks(d), 0);
    }
    assert_in_range(nth, 8, 499);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(imported_tensors_are_read_back),
        DOMAIN_TEST(metadata_of_any_size_are_kept_and_freed),
        DOMAIN_TEST(what_is_wrong_is_refused_and_leaves_nothing),
        DOMAIN_TEST(an_existing_name_is_known_before_a_byte_is_read),
        DOMAIN_TEST(an_import_that_runs_out_of_memory_leaves_nothing),
    };

    return cmocka_run_group_tests_name("checkpoint_import", tests, NULL, NULL);
}
