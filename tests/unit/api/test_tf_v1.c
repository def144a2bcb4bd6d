/* V1 checkpoints: real files give the tensors that are expected of them, damaged ones an error. */
#include "api/wire/tf_v1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/file/sstable_write.h"
#include "store/base/scope.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/files.h"

enum { ARENA_BYTES = 64 << 20 };

#define FIXTURES  "tests/fixtures/"
#define MALFORMED FIXTURES "malformed/"

static struct files files;

static const struct api_wire_limits limits = {
    .bytes_max = 64 << 20, .tensors_max = 1000, .memory_bytes_max = 1 << 20};

/* One checkpoint that is read. */
struct reading {
    struct arena arena;
    struct api_file_set set;
    struct api_wire_input input;
    struct api_wire_reader reader;
};

static void
reading_init(struct reading *r)
{
    *r = (struct reading){.reader.state = NULL};
    arena_init(&r->arena, ARENA_BYTES);
    r->input = (struct api_wire_input){.arena = &r->arena,
                                       .limits = &limits,
                                       .files = &r->set,
                                       .scratch = files.scratch,
                                       .tensor = "arr_0"};
}

static void
reading_drop(struct reading *r)
{
    api_wire_reader_drop(&r->reader);
    for (size_t i = 0; i < r->set.count; i++)
        close(r->set.entries[i].file.descriptor);
    arena_drop(&r->arena);
}

static void
add(struct reading *r, const char *name, struct bytes bytes)
{
    struct api_file file = files_of(bytes);

    assert_int_equal(api_file_set_add(&r->set, &r->arena, bytes_of_text(name), &file, NULL), OK);
}

static void
add_fixture(struct reading *r, const char *folder, const char *name)
{
    char path[512];
    struct fixture_file file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fixture_read(path);
    add(r, name, bytes_of(file.data, file.size));
    free(file.data);
}

static enum err_code
open_reading(struct reading *r, struct err *err)
{
    TRY(api_file_set_sort(&r->set, err));
    return api_wire_tf_v1.open(&r->input, &r->reader, err);
}

/* All bytes of all tensors, in pieces of `step`; the digests go to `digests` when it is given. */
static enum err_code
read_all(struct reading *r, size_t step, char (*digests)[FIXTURE_SHA256_BYTES], struct err *err)
{
    const struct tensor_source *source = &r->reader.source;

    for (size_t i = 0; i < r->reader.catalog.count; i++) {
        size_t size = (size_t)r->reader.catalog.tensors[i].size;
        uint8_t *bytes = malloc(size + 1);
        enum err_code code = OK;

        for (size_t at = 0; at < size && code == OK; at += step)
            code =
                source->read(source->context, bytes + at, size - at < step ? size - at : step, err);
        if (code == OK && digests != NULL)
            fixture_sha256(bytes, size, digests[i]);
        free(bytes);
        TRY(code);
    }
    return OK;
}

/* --- real files ----------------------------------------------------------------------------- */

static const char *
text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void
check_tensor(const struct api_wire_tensor *tensor, const char *digest, const json_t *expected)
{
    const json_t *shape = json_object_get(expected, "shape");

    assert_string_equal(dtype_name(tensor->type.dtype), text_of(expected, "dtype"));
    assert_int_equal(tensor->type.shape.rank, json_array_size(shape));
    for (uint32_t i = 0; i < tensor->type.shape.rank; i++)
        assert_true((double)tensor->type.shape.dims[i] ==
                    json_number_value(json_array_get(shape, i)));
    if (tensor->type.dtype != DTYPE_STRING)
        assert_string_equal(digest, text_of(expected, "sha256"));
}

static void
check_fixture(const char *folder, size_t step)
{
    char path[512], digests[200][FIXTURE_SHA256_BYTES];
    json_t *about, *tensors, *entry;
    struct err err = ERR_INIT;
    struct reading r;
    size_t i;

    reading_init(&r);
    snprintf(path, sizeof path, FIXTURES "%s/EXPECTED.json", folder);
    about = fixture_json(path);
    snprintf(path, sizeof path, FIXTURES "%s", folder);
    json_array_foreach(json_object_get(about, "files"), i, entry)
        add_fixture(&r, path, text_of(entry, "path"));
    tensors = json_object_get(about, "tensors");
    if (open_reading(&r, &err) != OK || read_all(&r, step, digests, &err) != OK)
        fail_msg("%s: %s", folder, err.text);
    assert_int_equal(r.reader.catalog.count, json_array_size(tensors));
    json_array_foreach(tensors, i, entry) for (size_t j = 0; j < r.reader.catalog.count; j++)
    {
        const struct api_wire_tensor *tensor = &r.reader.catalog.tensors[j];

        if (bytes_equal(tensor->name, bytes_of_text(text_of(entry, "name"))))
            check_tensor(tensor, digests[j], entry);
    }
    json_decref(about);
    reading_drop(&r);
}

static void
real_files_give_the_tensors_that_are_expected(void **state)
{
    static const char *const folders[] = {"v1-ntm-model-2-2015", "v1-serving-half-plus-two",
                                          "v1-synth-dtypes-a", "v1-tensorboard-linear-1000"};

    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        check_fixture(folders[i], 1 << 16);
        check_fixture(folders[i], 7);
    }
}

static void
the_metadata_keeps_what_is_in_no_tensor(void **state)
{
    struct reading r;

    (void)state;
    reading_init(&r);
    add_fixture(&r, FIXTURES "v1-ntm-model-2-2015", "NTM.model-2");
    assert_int_equal(open_reading(&r, NULL), OK);
    assert_int_equal(r.reader.catalog.metadata_count, 1);
    assert_true(bytes_equal(r.reader.catalog.metadata[0], bytes_of_text("tensorflow.v1.versions")));
    reading_drop(&r);
    reading_init(&r);
    add_fixture(&r, FIXTURES "v1-tensorboard-linear-1000", "model.ckpt-1000-00000-of-00001");
    assert_int_equal(open_reading(&r, NULL), OK);
    assert_int_equal(r.reader.catalog.metadata_count, 1);
    assert_true(bytes_equal(r.reader.catalog.metadata[0], bytes_of_text("tensorflow.v1.slices")));
    reading_drop(&r);
}

/* --- damaged ones --------------------------------------------------------------------------- */

static void
malformed_files_are_refused_as_their_manifest_says(void **state)
{
    json_t *manifest = fixture_json(MALFORMED "manifest.json"), *entry, *file;
    size_t i, j, seen = 0;

    (void)state;
    json_array_foreach(json_object_get(manifest, "cases"), i, entry)
    {
        char folder[256];
        struct err err = ERR_INIT;
        struct reading r;

        if (strcmp(text_of(entry, "format"), "tf-v1") != 0)
            continue;
        snprintf(folder, sizeof folder, MALFORMED "%s", text_of(entry, "dir"));
        reading_init(&r);
        json_array_foreach(json_object_get(entry, "files"), j, file)
            add_fixture(&r, folder, json_string_value(file));
        if (open_reading(&r, &err) == OK && read_all(&r, 4096, NULL, &err) == OK)
            fail_msg("%s is read", text_of(entry, "id"));
        assert_true(err.text[0] != '\0');
        reading_drop(&r);
        seen++;
    }
    assert_true(seen >= 12);
    json_decref(manifest);
}

/* The table's own checksums find nearly everything; that nothing worse happens is what counts. */
static void
files_that_are_cut_or_flipped_are_never_worse_than_refused(void **state)
{
    struct fixture_file file = fixture_read(FIXTURES "v1-synth-dtypes-a/old.ckpt-00000-of-00002");

    (void)state;
    for (size_t i = 0; i < 2 * file.size; i++) {
        uint8_t *damaged = malloc(file.size);
        struct reading r;

        memcpy(damaged, file.data, file.size);
        if (i < file.size)
            damaged[i] ^= (uint8_t)(1 << i % 8);
        reading_init(&r);
        add(&r, "x", bytes_of(damaged, i < file.size ? file.size : i - file.size));
        if (open_reading(&r, NULL) == OK)
            (void)read_all(&r, 4096, NULL, NULL);
        reading_drop(&r);
        free(damaged);
    }
    free(file.data);
}

/* --- files that change ----------------------------------------------------------------------- */

/* The strings "ab" and "c" in a file of one tensor, and what is written over them once the file is
 * open. */
static enum err_code
read_changed(const char *over, struct err *err)
{
    static const char values[] = "\x42\2ab\x42\1c";
    AUTO(api_sstable_writer) writer = {.offset = 0};
    AUTO(buf) table = {0};
    struct reading r;
    enum err_code code;
    size_t place = 0;

    buf_init(&table, 1 << 16);
    api_sstable_writer_init(&writer, api_sstable_to_buf(&table));
    assert_int_equal(
        api_sstable_add(
            &writer, bytes_of("", 0),
            bytes_of("\x0a\x13\x0a\x11\x0a\1w\x12\4\x12\2\x08\2\x18\7\x22\4\x0a\2\x10\2", 21),
            NULL),
        OK);
    assert_int_equal(
        api_sstable_add(&writer, bytes_of("\0w\0\1\1\1\x80\x82", 8),
                        bytes_of("\x12\x12\x0a\1w\x12\4\x0a\2\x10\2\x1a\7\x42\2ab\x42\1c", 20),
                        NULL),
        OK);
    assert_int_equal(api_sstable_finish(&writer, NULL), OK);
    reading_init(&r);
    add(&r, "x", buf_bytes(&table));
    assert_int_equal(open_reading(&r, err), OK);
    assert_int_equal(r.reader.catalog.tensors[0].size, 4 + 2 + 4 + 1);
    while (memcmp(table.data + place, values, sizeof values - 1) != 0)
        place++;
    assert_int_equal(
        pwrite(r.set.entries[0].file.descriptor, over, sizeof values - 1, (off_t)place),
        sizeof values - 1);
    code = read_all(&r, 3, NULL, err);
    reading_drop(&r);
    return code;
}

static void
a_file_that_changes_while_it_is_read_is_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    if (read_changed("\x42\2ab\x42\1c", &err) != OK)
        fail_msg("%s", err.text);
    /* Shorter strings, and a field that is passed over; one string less. */
    assert_int_equal(read_changed("\x42\0\x0a\0\x42\1c", &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "changed"));
    assert_int_equal(read_changed("\x42\5ab\x42\1c", NULL), ERR_INVALID_ARGUMENT);
}

/* --- which files ---------------------------------------------------------------------------- */

static enum err_code
find(const char *const *names, size_t count, const char *prefix, size_t *found, struct err *err)
{
    struct fixture_file file =
        fixture_read(FIXTURES "v1-serving-half-plus-two/export-00000-of-00001");
    struct api_tf_v1_files out = {.count = 0};
    struct reading r;
    enum err_code code;

    reading_init(&r);
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], "checkpoint") == 0)
            add(&r, names[i], bytes_of_text("model_checkpoint_path: \"model-6\"\n"));
        else
            add(&r, names[i], bytes_of(file.data, names[i][0] == '!' ? 7 : file.size));
    assert_int_equal(api_file_set_sort(&r.set, NULL), OK);
    r.input.prefix = prefix;
    code = api_tf_v1_find(&r.input, &out, err);
    *found = out.count;
    reading_drop(&r);
    free(file.data);
    return code;
}

static void
a_checkpoint_is_found_among_files(void **state)
{
    const char *const one[] = {"!checkpoint", "!model.meta", "a/model-7"};
    const char *const sharded[] = {"m-00001-of-00002", "m-00000-of-00002", "n-00000-of-00001"};
    const char *const latest[] = {"checkpoint", "model-6", "model-7"};
    const char *const index[] = {"m.index", "!m.data-00000-of-00001"};
    struct err err = ERR_INIT;
    size_t count = 0;

    (void)state;
    assert_int_equal(find(one, 3, NULL, &count, NULL), OK);
    assert_int_equal(count, 1);
    assert_int_equal(find(one, 3, "model-7", &count, NULL), OK);
    assert_int_equal(find(one, 3, "a/model-7", &count, NULL), OK);
    assert_int_equal(find(one, 3, "odel-7", &count, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(find(sharded, 2, NULL, &count, NULL), OK);
    assert_int_equal(count, 2);
    assert_int_equal(find(sharded, 3, NULL, &count, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "several checkpoints"));
    assert_int_equal(find(sharded, 3, "n", &count, NULL), OK);
    assert_int_equal(count, 1);
    assert_int_equal(find(sharded, 3,
                          "m-?????"
                          "-of-00002",
                          &count, NULL),
                     OK);
    assert_int_equal(count, 2);
    assert_int_equal(find(sharded, 3,
                          "m-?????"
                          "-of-00003",
                          &count, NULL),
                     ERR_INVALID_ARGUMENT);
    err_clear(&err);
    assert_int_equal(find(sharded, 1, NULL, &count, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "file 0 of 2"));
    assert_int_equal(find(latest + 1, 2, NULL, &count, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(find(latest, 3, NULL, &count, NULL), OK);
    assert_int_equal(count, 1);
    assert_int_equal(find(latest, 3, "model-7", &count, NULL), OK);
    assert_int_equal(find(index, 2, NULL, &count, NULL), ERR_INVALID_ARGUMENT);
}

/* --- slices as texts ------------------------------------------------------------------------ */

static void
slices_are_kept_as_texts(void **state)
{
    const struct api_extent extents[] = {{0, 12}, {0, -1}, {12, 8}, {0, -1}};
    const struct api_tf_v1_slices_of tensors[] = {
        {bytes_of_text("b \"q\""), 2, extents, 2},
        {bytes_of_text("a"), 1, extents, 1},
        {bytes_of_text("scalar"), 0, extents, 1},
    };
    struct api_tf_v1_slices_of *again = NULL;
    AUTO(arena) arena = {0};
    AUTO(buf) text = {0};
    size_t count = 0;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&text, 1 << 16);
    assert_int_equal(api_tf_v1_slices_write(tensors, 3, &text, NULL), OK);
    assert_true(bytes_equal(
        buf_bytes(&text),
        bytes_of_text(
            "{\"b \\\"q\\\"\":[\"0,12:-\",\"12,8:-\"],\"a\":[\"0,12\"],\"scalar\":[\"\"]}")));
    assert_int_equal(api_tf_v1_slices_read(buf_bytes(&text), &arena, &again, &count, NULL), OK);
    assert_int_equal(count, 3);
    assert_true(bytes_equal(again[0].name, tensors[1].name));
    assert_true(bytes_equal(again[1].name, tensors[0].name));
    assert_int_equal(again[1].count, 2);
    assert_memory_equal(again[1].extents, extents, sizeof extents);
    assert_int_equal(again[2].rank, 0);
}

static void
other_texts_are_no_slices(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{\"a\":1}",
                                        "{\"a\":[1]}",
                                        "{\"a\":[\"1\"]}",
                                        "{\"a\":[\"1,2:\"]}",
                                        "{\"a\":[\"1,2\",\"1,2:-\"]}",
                                        "{\"a\":[\"-1,2\"]}",
                                        "{\"a\":[\"0,9223372036854775808\"]}",
                                        "{\"a\":[\"0,2\"]}x"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        AUTO(arena) arena = {0};
        struct api_tf_v1_slices_of *out = NULL;
        size_t count = 0;

        arena_init(&arena, ARENA_BYTES);
        assert_int_not_equal(
            api_tf_v1_slices_read(bytes_of_text(texts[i]), &arena, &out, &count, NULL), OK);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_files_give_the_tensors_that_are_expected),
        cmocka_unit_test(the_metadata_keeps_what_is_in_no_tensor),
        cmocka_unit_test(malformed_files_are_refused_as_their_manifest_says),
        cmocka_unit_test(files_that_are_cut_or_flipped_are_never_worse_than_refused),
        cmocka_unit_test(a_file_that_changes_while_it_is_read_is_refused),
        cmocka_unit_test(a_checkpoint_is_found_among_files),
        cmocka_unit_test(slices_are_kept_as_texts),
        cmocka_unit_test(other_texts_are_no_slices),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
