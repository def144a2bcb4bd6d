/* Directories of the server: what leads where, what is refused, and files that are written all or
 * not at all. */
#include "api/file/root.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/file/checkpoint_files.h"
#include "api/file/folder_write.h"
#include "api/file/state_file.h"
#include "store/base/scope.h"
#include "tests/support/unit.h"

struct fixture {
    char *folder; /* holds root, outside and data */
    struct api_root root;
    struct arena arena;
    struct err err;
};

static void
write_text(const struct fixture *f, const char *name, const char *text)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* NULL: there is no such file. */
static const char *
read_text(const struct fixture *f, const char *name, char out[static 256])
{
    char path[4096];
    FILE *file;
    size_t size;

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    size = fread(out, 1, 255, file);
    out[size] = '\0';
    fclose(file);
    return out;
}

static void
make_folder(const struct fixture *f, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void
make_link(const struct fixture *f, const char *to, const char *name)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(symlink(to, path), 0);
}

static int
open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[4096], data[4096];

    assert_non_null(f);
    f->err = (struct err)ERR_INIT;
    f->folder = unit_temp_dir();
    arena_init(&f->arena, 64 << 20);
    make_folder(f, "root");
    make_folder(f, "root/data");
    make_folder(f, "root/in");
    make_folder(f, "outside");
    write_text(f, "outside/secret", "secret");
    write_text(f, "root/in/file", "text");
    make_link(f, "../outside", "root/link");
    make_link(f, "../../outside/secret", "root/in/link");
    snprintf(path, sizeof path, "%s/root", f->folder);
    snprintf(data, sizeof data, "%s/root/data", f->folder);
    assert_int_equal(api_root_open(path, data, &f->root, &f->err), OK);
    *state = f;
    return 0;
}

static int
close_fixture(void **state)
{
    struct fixture *f = *state;

    api_root_drop(&f->root);
    arena_drop(&f->arena);
    unit_temp_dir_remove(f->folder);
    free(f);
    return 0;
}

static void
paths_lead_to_places(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        enum err_code code;
        enum api_place_kind kind;
    } rows[] = {
        {"in/file", OK, API_PLACE_FILE},        {"in", OK, API_PLACE_FOLDER},
        {"in/", OK, API_PLACE_FOLDER},          {".", OK, API_PLACE_FOLDER},
        {"in/none", OK, API_PLACE_NOTHING},     {"none/none", ERR_NOT_FOUND, 0},
        {"", ERR_INVALID_ARGUMENT, 0},          {"/", ERR_INVALID_ARGUMENT, 0},
        {"/in/file", ERR_INVALID_ARGUMENT, 0},  {"in//file", ERR_INVALID_ARGUMENT, 0},
        {"in/./file", ERR_INVALID_ARGUMENT, 0}, {"./in", ERR_INVALID_ARGUMENT, 0},
        {"..", ERR_INVALID_ARGUMENT, 0},        {"in/../in/file", ERR_INVALID_ARGUMENT, 0},
        {"in/..", ERR_INVALID_ARGUMENT, 0},     {"link/secret", ERR_INVALID_ARGUMENT, 0},
        {"in/file/x", ERR_INVALID_ARGUMENT, 0}, {"data/x", ERR_PERMISSION_DENIED, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO(api_place) place = {.opened = false};
        enum api_place_kind kind;
        enum err_code code = api_root_find(&f->root, rows[i].path, false, &place, &f->err);

        if (code != rows[i].code)
            fail_msg("'%s': %d, %s", rows[i].path, code, f->err.text);
        err_clear(&f->err);
        if (code != OK)
            continue;
        assert_int_equal(api_place_look(&place, &kind, NULL), OK);
        assert_int_equal(kind, rows[i].kind);
    }
}

static void
links_and_devices_are_nothing_to_open(void **state)
{
    struct fixture *f = *state;
    AUTO(api_place) place = {.opened = false};
    struct api_file file;
    enum api_place_kind kind;
    char path[4096];

    snprintf(path, sizeof path, "%s/root/in/fifo", f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(api_root_find(&f->root, "in/link", false, &place, NULL), OK);
    assert_int_equal(api_place_look(&place, &kind, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(api_place_open_file(&place, "link", &file, &f->err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.text, "a symbolic link"));
    err_clear(&f->err);
    assert_int_equal(api_place_open_file(&place, "fifo", &file, &f->err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.text, "a FIFO"));
    assert_int_equal(api_place_open_file(&place, ".", &file, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(api_place_open_file(&place, "none", &file, NULL), ERR_NOT_FOUND);
    assert_int_equal(api_place_open_file(&place, "file", &file, NULL), OK);
    assert_int_equal(file.size, 4);
    close(file.descriptor);
}

static void
there_may_be_no_root(void **state)
{
    struct fixture *f = *state;
    struct api_root root;

    assert_int_equal(api_root_open("", "data", &root, &f->err), ERR_PERMISSION_DENIED);
    assert_non_null(strstr(f->err.text, "checkpoint_root"));
    api_root_drop(&root);
    assert_int_equal(api_root_open("/nonexistent", "data", &root, NULL), ERR_UNAVAILABLE);
    api_root_drop(&root);
}

/* --- the files of a checkpoint ------------------------------------------------------------- */

/* Their names, sorted, with a blank after each; or the beginning of the error. */
static void
expect_files(struct fixture *f, const char *path, const char *names)
{
    AUTO(api_checkpoint_files) files = {.set = {.count = 0}};
    char got[512] = "";
    const char *prefix = NULL;
    enum err_code code =
        api_checkpoint_files_open(&f->root, path, &prefix, &f->arena, &files, &f->err);

    if (code == OK)
        code = api_file_set_sort(&files.set, &f->err);
    for (size_t i = 0; code == OK && i < files.set.count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s ",
                 (const char *)files.set.entries[i].name.data);
    if (code != OK)
        snprintf(got, sizeof got, "%.500s", f->err.text);
    if (strstr(got, names) == NULL || (code == OK && strcmp(got, names) != 0))
        fail_msg("'%s': '%s', not '%s'", path, got, names);
    err_clear(&f->err);
}

static void
the_files_of_a_checkpoint_are_found(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "m-1.index",
        "m-1.data-00000-of-00002",
        "m-1.data-00001-of-00002",
        "m-1.meta",
        "m-1.data-00000-of-0000x",
        "m-10.index",
        "m-10.data-00000-of-00001",
        "v1",
        "v1.meta",
        "s-00000-of-00002",
        "s-00001-of-00002",
        "s-0000-of-00002",
        "x.safetensors.index.json",
        "x-00001-of-00001.safetensors",
        "y.safetensors",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];

        snprintf(path, sizeof path, "root/in/%s", names[i]);
        write_text(f, path, names[i]);
    }
    expect_files(f, "in/m-1", "m-1.data-00000-of-00002 m-1.data-00001-of-00002 m-1.index ");
    expect_files(f, "in/m-1.index", "m-1.data-00000-of-00002 m-1.data-00001-of-00002 m-1.index ");
    expect_files(f, "in/m-10", "m-10.data-00000-of-00001 m-10.index ");
    expect_files(f, "in/v1", "v1 ");
    expect_files(f, "in/s", "s-00000-of-00002 s-00001-of-00002 ");
    expect_files(f,
                 "in/s-?????"
                 "-of-00002",
                 "s-00000-of-00002 s-00001-of-00002 ");
    expect_files(f,
                 "in/s-?????"
                 "-of-00003",
                 "there are no files like");
    expect_files(f, "in/y.safetensors", "y.safetensors ");
    expect_files(f, "in/x.safetensors.index.json",
                 "x-00001-of-00001.safetensors x.safetensors.index.json ");
    expect_files(f, "in/none", "there is no 'none', and neither 'none.index' nor");
    expect_files(f, "in", "has no file 'checkpoint'");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: 'm-10'");
    expect_files(f, "in", "m-10.data-00000-of-00001 m-10.index ");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: '/far/away/m-10'");
    expect_files(f, "in/", "m-10.data-00000-of-00001 m-10.index ");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: 's-\\?\\?\\?\\?\\?-of-00002'");
    expect_files(f, "in", "s-00000-of-00002 s-00001-of-00002 ");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: '../outside/secret'");
    expect_files(f, "in", "'..' is not allowed");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: 'link'");
    expect_files(f, "in", "a symbolic link");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: '.'");
    expect_files(f, "in", "there is no ''");
    write_text(f, "root/in/checkpoint", "model_checkpoint_path: '");
    expect_files(f, "in", "a string is not closed");
}

/* --- writing ------------------------------------------------------------------------------- */

static void
lay_out(struct fixture *f, struct api_layout *layout, const char *first, const char *second)
{
    api_layout_init(layout, &f->arena);
    assert_int_equal(api_layout_file(layout, first, NULL), OK);
    for (int i = 0; i < 100; i++) /* more than are written at once */
        assert_int_equal(api_layout_lend(layout, bytes_of_text("1"), NULL), OK);
    if (second == NULL)
        return;
    assert_int_equal(api_layout_file(layout, second, NULL), OK);
    assert_int_equal(api_layout_lend(layout, bytes_of_text("second"), NULL), OK);
}

static enum err_code
write_layout(struct fixture *f, const struct api_layout *layout, bool overwrite, const char *latest)
{
    const struct api_folder_options options = {.overwrite = overwrite, .latest = latest};
    AUTO(api_place) place = {.opened = false};

    assert_int_equal(api_root_find(&f->root, "out/x", true, &place, &f->err), OK);
    return api_folder_write(&place, layout, &options, &f->err);
}

static size_t
count_names(const struct fixture *f, const char *name)
{
    char command[4200], text[16] = "";
    FILE *pipe;

    snprintf(command, sizeof command, "ls -A '%s/%s' | wc -l", f->folder, name);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(text, sizeof text, pipe));
    pclose(pipe);
    return (size_t)strtoul(text, NULL, 10);
}

static void
files_are_written_all_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct api_layout layout;
    char text[256];

    lay_out(f, &layout, "a", "b");
    assert_int_equal(write_layout(f, &layout, false, NULL), OK);
    assert_int_equal(strlen(read_text(f, "root/out/a", text)), 100);
    assert_string_equal(read_text(f, "root/out/b", text), "second");
    assert_int_equal(count_names(f, "root/out"), 2);

    lay_out(f, &layout, "c", "b");
    assert_int_equal(write_layout(f, &layout, false, NULL), ERR_ALREADY_EXISTS);
    assert_null(read_text(f, "root/out/c", text));
    err_clear(&f->err);
    /* The second file of one name meets the first: that goes again too. */
    lay_out(f, &layout, "c", "c");
    assert_int_equal(write_layout(f, &layout, false, NULL), ERR_ALREADY_EXISTS);
    assert_null(read_text(f, "root/out/c", text));
    err_clear(&f->err);
    assert_int_equal(count_names(f, "root/out"), 2);

    lay_out(f, &layout, "b", NULL);
    assert_int_equal(write_layout(f, &layout, true, NULL), OK);
    assert_int_equal(strlen(read_text(f, "root/out/b", text)), 100);
    make_folder(f, "root/out/folder");
    lay_out(f, &layout, "b", "folder");
    assert_int_equal(write_layout(f, &layout, true, NULL), ERR_ALREADY_EXISTS);
    assert_int_equal(count_names(f, "root/out"), 3);
}

static void
a_link_is_replaced_and_not_followed(void **state)
{
    struct fixture *f = *state;
    struct api_layout layout;
    char text[256];

    make_folder(f, "root/out");
    make_link(f, "../../outside/secret", "root/out/a");
    lay_out(f, &layout, "a", NULL);
    assert_int_equal(write_layout(f, &layout, false, NULL), ERR_ALREADY_EXISTS);
    err_clear(&f->err);
    assert_int_equal(write_layout(f, &layout, true, NULL), OK);
    assert_int_equal(strlen(read_text(f, "root/out/a", text)), 100);
    assert_string_equal(read_text(f, "outside/secret", text), "secret");
}

static void
the_state_file_is_added_to(void **state)
{
    struct fixture *f = *state;
    struct api_layout layout;
    char text[256];

    lay_out(f, &layout, "m-1", NULL);
    assert_int_equal(write_layout(f, &layout, false, "m-1"), OK);
    lay_out(f, &layout, "m-2", NULL);
    assert_int_equal(write_layout(f, &layout, false, "m-2"), OK);
    assert_string_equal(read_text(f, "root/out/checkpoint", text),
                        "model_checkpoint_path: \"m-2\"\nall_model_checkpoint_paths: \"m-1\"\n"
                        "all_model_checkpoint_paths: \"m-2\"\n");
    write_text(f, "root/out/checkpoint", "broken: {");
    lay_out(f, &layout, "m-3", NULL);
    assert_int_equal(write_layout(f, &layout, false, "m-3"), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.text, "cannot be added to"));
    err_clear(&f->err);
    assert_null(read_text(f, "root/out/m-3", text));
    assert_int_equal(write_layout(f, &layout, true, "m-3"), OK);
    assert_string_equal(read_text(f, "root/out/checkpoint", text),
                        "model_checkpoint_path: \"m-3\"\nall_model_checkpoint_paths: \"m-3\"\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_lead_to_places, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(links_and_devices_are_nothing_to_open, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(there_may_be_no_root, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_files_of_a_checkpoint_are_found, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(files_are_written_all_or_not_at_all, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(a_link_is_replaced_and_not_followed, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(the_state_file_is_added_to, open_fixture, close_fixture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
