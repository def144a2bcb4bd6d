/* A set in several safetensors files, with and without an index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/wire/format.h"
#include "store/base/scope.h"

enum { ARENA_BYTES = 1 << 20 };

static const struct api_wire_limits limits = {1 << 20, 100, 1 << 20};

struct files {
    struct arena arena;
    struct api_file_set set;
    struct api_wire_input input;
    struct api_wire_reader reader;
    struct err err;
};

static void
add(struct files *f, const char *name, struct bytes content)
{
    struct api_file file = {memfd_create("test", MFD_CLOEXEC), 0, content.size};

    assert_int_equal(write(file.descriptor, content.data, content.size), content.size);
    assert_int_equal(api_file_set_add(&f->set, &f->arena, bytes_of_text(name), &file, NULL), OK);
}

/* One uint8 tensor of `text`. */
static void
add_shard(struct files *f, const char *name, const char *tensor, const char *text)
{
    AUTO(buf) header = {0};
    AUTO(buf) file = {0};

    buf_init(&header, 4096);
    buf_init(&file, 4096);
    assert_int_equal(buf_printf(&header, NULL,
                                "{\"%s\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[0,%zu]"
                                "}}",
                                tensor, strlen(text), strlen(text)),
                     OK);
    assert_int_equal(buf_append_u64(&file, header.size, NULL), OK);
    assert_int_equal(buf_append(&file, header.data, header.size, NULL), OK);
    assert_int_equal(buf_append_text(&file, text, NULL), OK);
    add(f, name, buf_bytes(&file));
}

static int
open_files(void **state)
{
    static struct files f;

    f = (struct files){.err = ERR_INIT};
    arena_init(&f.arena, ARENA_BYTES);
    f.input = (struct api_wire_input){
        .arena = &f.arena, .limits = &limits, .files = &f.set, .stream_size = UINT64_MAX};
    *state = &f;
    return 0;
}

static int
close_files(void **state)
{
    struct files *f = *state;

    for (size_t i = 0; i < f->set.count; i++)
        close(f->set.entries[i].file.descriptor);
    api_wire_reader_drop(&f->reader);
    arena_drop(&f->arena);
    return 0;
}

static enum err_code
open_set(struct files *f)
{
    assert_int_equal(api_file_set_sort(&f->set, NULL), OK);
    assert_true(api_wire_safetensors_shards.claims(&f->input));
    return api_wire_safetensors_shards.open(&f->input, &f->reader, &f->err);
}

static void
files_add_up_in_the_order_of_their_names(void **state)
{
    struct files *f = *state;
    const struct api_wire_catalog *catalog = &f->reader.catalog;
    char got[8] = "";

    add_shard(f, "m-00002-of-00003.safetensors", "a", "world");
    add_shard(f, "m-00001-of-00003.safetensors", "b", "hi");
    add_shard(f, "m-00003-of-00003.safetensors", "none", "");
    add(f, "README.md", bytes_of_text("no tensors"));
    if (open_set(f) != OK)
        fail_msg("%s", f->err.text);
    assert_int_equal(catalog->count, 3);
    assert_int_equal(catalog->shards, 3);
    assert_memory_equal(catalog->tensors[0].name.data, "b", 1);
    assert_int_equal(catalog->tensors[0].shard, 0);
    assert_int_equal(catalog->tensors[1].shard, 1);
    assert_int_equal(f->reader.source.read(f->reader.source.context, got, 2, NULL), OK);
    assert_memory_equal(got, "hi", 2);
    assert_int_equal(f->reader.source.read(f->reader.source.context, got, 3, NULL), OK);
    assert_int_equal(f->reader.source.read(f->reader.source.context, got + 3, 2, NULL), OK);
    assert_memory_equal(got, "world", 5);
    assert_int_equal(f->reader.source.read(f->reader.source.context, got, 0, NULL), OK);
}

static void
an_index_must_be_right(void **state)
{
    struct files *f = *state;

    add_shard(f, "x/m-1.safetensors", "a", "1");
    add_shard(f, "x/m-2.safetensors", "b", "2");
    add(f, "x/m.safetensors.index.json",
        bytes_of_text("{\"metadata\":{\"total_size\":2},\"weight_map\":"
                      "{\"b\":\"m-2.safetensors\",\"a\":\"m-1.safetensors\"}}"));
    if (open_set(f) != OK)
        fail_msg("%s", f->err.text);
}

static void
a_wrong_index_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"{\"weight_map\":{\"a\":\"m-2.safetensors\"}}", "'a' is in the file 'm-2.safetensors'"},
        {"{\"weight_map\":{\"c\":\"m-1.safetensors\"}}", "'c' is in the file"},
        {"{\"weight_map\":{\"a\":\"../m-1.safetensors\"}}", "there it is not"},
        {"{\"weight_map\":7}", "weight_map"},
        {"{\"weight_map\":", "the text ends at byte 14"},
        {"{}", "weight_map"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct files *f = *state;

        add_shard(f, "m-1.safetensors", "a", "1");
        add_shard(f, "m-2.safetensors", "b", "2");
        add(f, "m.safetensors.index.json", bytes_of_text(wrong[i][0]));
        assert_int_equal(open_set(f), ERR_INVALID_ARGUMENT);
        if (strstr(f->err.text, wrong[i][1]) == NULL)
            fail_msg("'%s' is not in: %s", wrong[i][1], f->err.text);
        close_files(state);
        open_files(state);
    }
}

static void
a_tensor_in_two_files_is_refused(void **state)
{
    struct files *f = *state;

    add_shard(f, "m-1.safetensors", "a", "1");
    add_shard(f, "m-2.safetensors", "a", "2");
    assert_int_equal(open_set(f), ERR_INVALID_ARGUMENT);
    assert_string_equal(f->err.text, "tensor 'a' is in two of the files");
}

static void
files_of_other_kinds_are_not_claimed(void **state)
{
    struct files *f = *state;

    assert_false(api_wire_safetensors_shards.claims(&f->input));
    add(f, ".safetensors", bytes_of_text(""));
    add(f, "m.safetensors.index.json", bytes_of_text("{}"));
    assert_false(api_wire_safetensors_shards.claims(&f->input));
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, open_files, close_files)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(files_add_up_in_the_order_of_their_names),
        FILES_TEST(an_index_must_be_right),
        FILES_TEST(a_wrong_index_is_refused),
        FILES_TEST(a_tensor_in_two_files_is_refused),
        FILES_TEST(files_of_other_kinds_are_not_claimed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
