/* Looking at tensors one by one: which there are, and the elements that are kept of them. */
#include "tests/unit/service/service_fixture.h"

enum { STRINGS = 30000, LONG = 300 };

/* Asked of the tensors that are met: how many, and the kept elements of the last. */
struct seen {
    char names[8][16];
    size_t count;
    uint64_t count_max, edge;
    bool reads;
    struct buf data;
};

static enum err_code
see(void *context, const struct checkpoint_look *look, struct err *err)
{
    struct seen *seen = context;
    struct tensor_corners corners =
        tensor_corners_of(&look->type.shape, seen->count_max, seen->edge);

    assert_in_range(seen->count, 0, 7);
    snprintf(seen->names[seen->count++], 16, "%.*s", (int)look->name.size,
             (const char *)look->name.data);
    seen->data.size = 0;
    return seen->reads ? checkpoint_look_read(look, &corners, &seen->data, err) : OK;
}

static enum err_code
look(struct domain *d, const char *checkpoint, const char *tensor, struct seen *seen)
{
    struct checkpoint_info info;

    seen->count = 0;
    return checkpoint_look(d->service, MODEL, checkpoint, tensor, &info, see, seen, &d->f->err);
}

static void
tensors_come_in_name_order_or_alone(void **state)
{
    static const int32_t seven[] = {7};
    struct domain *d = *state;
    struct seen seen = {.count_max = 10, .edge = 2, .reads = true};

    buf_init(&seen.data, 1024);
    create_literal(d, "b", DTYPE_INT32, scalar(), seven);
    create_literal(d, "a/b", DTYPE_INT32, scalar(), seven);
    create_literal(d, "a", DTYPE_UINT8, exprs_shape(1, 4), "abcd");
    initialize_all(d);
    (void)save(d, "c");
    WORKS(look(d, "c", NULL, &seen), &d->f->err);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.names[0], "a");
    assert_string_equal(seen.names[1], "a/b");
    assert_string_equal(seen.names[2], "b");
    assert_int_equal(seen.data.size, 4);
    assert_memory_equal(seen.data.data, seven, 4);
    WORKS(look(d, "c", "a", &seen), &d->f->err);
    assert_int_equal(seen.count, 1);
    assert_memory_equal(seen.data.data, "abcd", 4);
    REFUSES(look(d, "c", "x", &seen), ERR_NOT_FOUND, "Key x not found in checkpoint 'c'",
            &d->f->err);
    REFUSES(look(d, "gone", NULL, &seen), ERR_NOT_FOUND,
            "Failed to find any matching files for gone", &d->f->err);
    FAILS(look(d, "", NULL, &seen), ERR_INVALID_ARGUMENT, &d->f->err);
    buf_drop(&seen.data);
}

/* Lengths and texts lie across the borders of chunks. */
static void
strings_are_found_wherever_they_lie(void **state)
{
    struct domain *d = *state;
    struct seen seen = {.count_max = 10, .edge = 2, .reads = true};
    struct checkpoint_import tensor = {
        .name = bytes_of_text("s"), .type = type_of(DTYPE_STRING, exprs_shape(2, 2, STRINGS / 2))};
    struct checkpoint_info info;
    struct buf all, kept;
    uint64_t revision;

    buf_init(&seen.data, 1 << 20);
    buf_init(&all, 64 << 20);
    buf_init(&kept, 1 << 20);
    for (uint32_t i = 0; i < STRINGS; i++) {
        uint32_t place = i % (STRINGS / 2);
        char text[LONG];

        memset(text, (int)('a' + i % 26), sizeof text);
        for (struct buf *to = &all; to != NULL; to = to == &all ? &kept : NULL)
            if (to == &all || place < 2 || place >= STRINGS / 2 - 2)
                WORKS(buf_append_bytes(to, bytes_of(text, i * 7 % LONG), &d->f->err), &d->f->err);
    }
    tensor.size = all.size;
    struct memory_source from = memory_of(all.data, all.size);
    struct tensor_source source = source_of(&from);

    WORKS(checkpoint_import(d->service, MODEL, "c", &tensor, 1, NULL, 0, &source, false, NULL,
                            &info, &revision, &d->f->err),
          &d->f->err);
    WORKS(look(d, "c", "s", &seen), &d->f->err);
    assert_int_equal(seen.data.size, kept.size);
    assert_memory_equal(seen.data.data, kept.data, kept.size);
    buf_drop(&all);
    buf_drop(&kept);
    buf_drop(&seen.data);
}

static void
no_more_is_taken_than_the_buffer_allows(void **state)
{
    struct domain *d = *state;
    struct seen seen = {.count_max = 1000, .edge = 3, .reads = true};
    uint8_t *data = some_bytes(900, 1);

    buf_init(&seen.data, 800);
    create_literal(d, "a", DTYPE_UINT8, exprs_shape(1, 900), data);
    initialize_all(d);
    (void)save(d, "c");
    FAILS(look(d, "c", "a", &seen), ERR_PAYLOAD_TOO_LARGE, &d->f->err);
    seen.count_max = 899;
    WORKS(look(d, "c", "a", &seen), &d->f->err);
    assert_int_equal(seen.data.size, 6);
    assert_memory_equal(seen.data.data, data, 3);
    assert_memory_equal(seen.data.data + 3, data + 897, 3);
    free(data);
    buf_drop(&seen.data);
}

static void
a_lack_of_memory_is_told(void **state)
{
    struct domain *d = *state;
    struct seen seen = {.count_max = 1000, .edge = 3, .reads = true};
    uint8_t *data = some_bytes(100000, 1);
    enum err_code code = ERR_NO_MEMORY;

    create_literal(d, "a", DTYPE_UINT8, exprs_shape(1, 100000), data);
    initialize_all(d);
    (void)save(d, "c");
    for (uint64_t nth = 1; nth < 100 && code != OK; nth++) {
        buf_init(&seen.data, 100000);
        (void)mem_fail_at(nth, 0);
        code = look(d, "c", NULL, &seen);
        (void)mem_fail_at(0, 0);
        buf_drop(&seen.data);
        if (code != OK)
            FAILS(code, ERR_NO_MEMORY, &d->f->err);
    }
    assert_int_equal(code, OK);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(tensors_come_in_name_order_or_alone),
        DOMAIN_TEST(strings_are_found_wherever_they_lie),
        DOMAIN_TEST(no_more_is_taken_than_the_buffer_allows),
        DOMAIN_TEST(a_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests_name("checkpoint_look", tests, NULL, NULL);
}
