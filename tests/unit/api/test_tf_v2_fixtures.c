/* TensorFlow's V2 checkpoints: real files read as they are, written as they were, and files broken
 * on purpose. */
#include "api/wire/tf_v2.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "store/base/scope.h"
#include "tests/unit/api/sstable_entries.h"
#include "tests/unit/api/wire_files.h"

static struct files files;

static const char *
text_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static struct bytes
bytes_of_json(json_t *object, const char *key)
{
    const json_t *text = json_object_get(object, key);

    return bytes_of(json_string_value(text), json_string_length(text));
}

/* --- in --- */

static void
expect_strings(struct bytes value, json_t *expected)
{
    struct reader reader = reader_of(value);
    char sha256[FIXTURE_SHA256_BYTES];
    json_t *digest;
    size_t i;

    json_array_foreach(json_object_get(expected, "element_sha256"), i, digest)
    {
        struct bytes element = reader_bytes(&reader);

        assert_string_equal(fixture_sha256(element.data, element.size, sha256),
                            json_string_value(digest));
    }
    assert_true(reader_ended_well(&reader));
}

static void
expect_tensor(const struct wire_files *w, json_t *expected)
{
    size_t i = wire_files_find(w, bytes_of_json(expected, "name"));
    struct tensor_type type = {.dtype = DTYPE_UNSET};
    char got[TENSOR_TYPE_TEXT_BYTES_MAX], want[TENSOR_TYPE_TEXT_BYTES_MAX];
    char sha256[FIXTURE_SHA256_BYTES];
    json_t *dim;
    size_t d;

    if (i == SIZE_MAX)
        fail_msg("no tensor '%s'", text_of(expected, "name"));
    assert_true(dtype_of_name(bytes_of_json(expected, "dtype"), &type.dtype));
    json_array_foreach(json_object_get(expected, "shape"), d, dim)
        type.shape.dims[type.shape.rank++] = (uint64_t)json_number_value(dim);
    assert_string_equal(tensor_type_text(&w->reader.catalog.tensors[i].type, got),
                        tensor_type_text(&type, want));
    if (type.dtype == DTYPE_STRING)
        expect_strings(w->values[i], expected);
    else
        assert_string_equal(fixture_sha256(w->values[i].data, w->values[i].size, sha256),
                            text_of(expected, "sha256"));
}

static void
expect_tensors(const struct wire_files *w, json_t *expected)
{
    const struct api_wire_catalog *catalog = &w->reader.catalog;
    size_t i, kept = 0, refused = 0;
    json_t *tensor;

    json_array_foreach(json_object_get(expected, "tensors"), i, tensor)
    {
        if (json_object_get(tensor, "expect") == NULL) {
            expect_tensor(w, tensor);
            kept++;
            continue;
        }
        assert_string_equal(text_of(tensor, "expect"), "unsupported");
        assert_true(refused < catalog->refused_count);
        assert_true(bytes_equal(catalog->refused[refused++].name, bytes_of_json(tensor, "name")));
    }
    assert_int_equal(catalog->count, kept);
    assert_int_equal(catalog->refused_count, refused);
    assert_int_equal(catalog->shards, (uint32_t)json_number_value(json_object_get(
                                          json_object_get(expected, "header"), "num_shards")));
}

/* --- out --- */

static void
expect_same_entries(struct bytes a, struct bytes b)
{
    struct sstable_entries *of_a, *of_b;

    assert_int_equal(sstable_entries_read(&files, a, &of_a, NULL), OK);
    assert_int_equal(sstable_entries_read(&files, b, &of_b, NULL), OK);
    assert_int_equal(of_a->count, of_b->count);
    for (size_t i = 0; i < of_a->count; i++) {
        assert_true(bytes_equal(of_a->keys[i], of_b->keys[i]));
        assert_true(bytes_equal(of_a->values[i], of_b->values[i]));
    }
    sstable_entries_free(of_a);
    sstable_entries_free(of_b);
}

/* Every file as TensorFlow wrote it; a compressed index in its entries. */
static void
expect_files_again(struct wire_files *w, const char *folder, const char *name, size_t run)
{
    struct tensor_set set = wire_files_set(w, run);
    struct api_layout layout;
    char path[512];

    assert_int_equal(wire_files_write(w, api_tf_v2_write, &set, name, &layout, NULL), OK);
    assert_true(layout.file_count >= 3);
    assert_true(bytes_start_with(wire_files_written(w, &layout, layout.file_count - 1),
                                 bytes_of_text("model_checkpoint_path: \"")));
    for (size_t i = 0; i + 1 < layout.file_count; i++) {
        struct bytes written = wire_files_written(w, &layout, i), original;
        struct fixture_file file;

        snprintf(path, sizeof path, "%s/%s", folder, layout.files[i].name);
        file = fixture_read(path);
        original = bytes_of(file.data, file.size);
        if (strstr(path, ".index") != NULL &&
            (strstr(path, "sonnet") != NULL || strstr(path, "cpu") != NULL ||
             strstr(path, "mnist") != NULL || strstr(path, "optimizer-slot") != NULL ||
             strstr(path, "many-blocks") != NULL))
            expect_same_entries(written, original);
        else if (!bytes_equal(written, original))
            fail_msg("%s is written otherwise", path);
        free(file.data);
    }
}

/* What is not kept cannot be written again: parts, byte order, tensors that were refused. */
static bool
can_be_the_same(const char *folder)
{
    return strstr(folder, "partitioned") == NULL && strstr(folder, "big-endian") == NULL &&
           strstr(folder, "variant") == NULL;
}

static void
expect_folder(const char *folder, size_t step)
{
    AUTO(wire_files) w;
    struct err err = ERR_INIT;
    char path[512];
    json_t *expected;

    snprintf(path, sizeof path, "%s/EXPECTED.json", folder);
    expected = fixture_json(path);
    wire_files_init(&w, &files);
    wire_files_add_folder(&w, folder);
    if (wire_files_open(&w, &api_wire_tf_v2, &err) != OK || wire_files_read(&w, step, &err) != OK)
        fail_msg("%s: %s", folder, err.text);
    expect_tensors(&w, expected);
    if (can_be_the_same(folder))
        expect_files_again(&w, folder, text_of(expected, "open"), step == 0 ? 1 << 20 : step);
    json_decref(expected);
}

static void
real_checkpoints_come_in_and_go_out_as_they_were(void **state)
{
    const char *place = getenv("TENSORKEEP_FIXTURES");
    char pattern[512];
    glob_t found;

    (void)state;
    snprintf(pattern, sizeof pattern, "%s/v2-*", place != NULL ? place : "tests/fixtures");
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        expect_folder(found.gl_pathv[i], 0);
        expect_folder(found.gl_pathv[i], 7);
        expect_folder(found.gl_pathv[i], 4096);
    }
    assert_true(found.gl_pathc >= 18);
    globfree(&found);
}

/* --- broken --- */

static enum err_code
read_folder(struct wire_files *w, const char *folder, struct err *err)
{
    wire_files_init(w, &files);
    wire_files_add_folder(w, folder);
    TRY(wire_files_open(w, &api_wire_tf_v2, err));
    return wire_files_read(w, 0, err);
}

/* An error about one tensor names it. */
static void
expect_named(json_t *one, const char *id, const struct err *err)
{
    json_t *bad = json_object_get(one, "bad_tensors");

    if (json_array_size(bad) == 0)
        return;
    if (err->about_kind == NULL || strcmp(err->about_kind, "tensor") != 0 ||
        strcmp(err->about, json_string_value(json_array_get(bad, 0))) != 0)
        fail_msg("%s: '%s' is not about the tensor", id, err->text);
}

static void
broken_checkpoints_are_refused(void **state)
{
    json_t *manifest = fixture_json("tests/fixtures/malformed/manifest.json"), *one;
    size_t i, refused = 0;

    (void)state;
    json_array_foreach(json_object_get(manifest, "cases"), i, one)
    {
        AUTO(wire_files) w = {.count = 0};
        const char *id = text_of(one, "id"), *expect = text_of(one, "expect");
        struct err err = ERR_INIT;
        enum err_code code;
        char folder[512];

        if (strcmp(text_of(one, "format"), "tf-v2") != 0)
            continue;
        snprintf(folder, sizeof folder, "tests/fixtures/malformed/%s", text_of(one, "dir"));
        code = read_folder(&w, folder, &err);
        if (strcmp(expect, "reject") == 0) {
            if (code != ERR_INVALID_ARGUMENT)
                fail_msg("%s is read: %s", id, err.text);
            expect_named(one, id, &err);
            refused++;
        } else if (code != OK && code != ERR_INVALID_ARGUMENT) {
            fail_msg("%s: %s", id, err.text);
        }
    }
    assert_true(refused > 30);
    json_decref(manifest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_checkpoints_come_in_and_go_out_as_they_were),
        cmocka_unit_test(broken_checkpoints_are_refused),
    };
    int failed;

    files_start(&files);
    failed = cmocka_run_group_tests_name("tf_v2_fixtures", tests, NULL, NULL);
    files_stop(&files);
    return failed;
}
