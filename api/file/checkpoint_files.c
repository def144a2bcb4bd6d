#include "api/file/checkpoint_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/file/state_file.h"
#include "api/json/text.h"
#include "store/base/scope.h"

static const char index_suffix[] = ".index";
static const char safetensors_index[] = ".safetensors.index.json";
static const char data_infix[] = ".data-"; /* then ddddd-of-ddddd */

void
api_checkpoint_files_drop(struct api_checkpoint_files *files)
{
    for (size_t i = 0; i < files->set.count; i++)
        close(files->set.entries[i].file.descriptor);
    *files = (struct api_checkpoint_files){.set = {.count = 0}};
}

static enum err_code
add_file(const struct api_place *place, const char *name, struct arena *arena,
         struct api_checkpoint_files *out, struct err *err)
{
    struct api_file file;
    enum err_code code;

    if (out->set.count == API_CHECKPOINT_FILES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "a checkpoint of more than %d files",
                       API_CHECKPOINT_FILES_MAX);
    TRY(api_place_open_file(place, name, &file, err));
    code = api_file_set_add(&out->set, arena, bytes_of_text(name), &file, err);
    if (code != OK)
        close(file.descriptor);
    return code;
}

/* --- names --- */

/* Whether text is like pattern: '#' is a digit. */
static bool
is_like(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; text++, pattern++)
        if (*pattern == '#' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return *text == '\0';
}

/* Adds every file whose name is `prefix` and then like `pattern`. */
static enum err_code
add_like(const struct api_place *place, struct bytes prefix, const char *pattern,
         struct arena *arena, struct api_checkpoint_files *out, struct err *err)
{
    int folder = openat(place->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = folder < 0 ? NULL : fdopendir(folder);
    enum err_code code = OK;
    size_t looked_at = 0;
    struct dirent *entry;

    if (names == NULL) {
        code = err_set(err, ERR_UNAVAILABLE, "cannot list a directory: %s", strerror(errno));
        if (folder >= 0)
            close(folder);
        return code;
    }
    while (code == OK && (entry = readdir(names)) != NULL) {
        if (++looked_at > API_CHECKPOINT_NAMES_LOOKED_AT)
            code = err_set(err, ERR_PAYLOAD_TOO_LARGE,
                           "a directory of more than %d names is not searched",
                           API_CHECKPOINT_NAMES_LOOKED_AT);
        else if (bytes_start_with(bytes_of_text(entry->d_name), prefix) &&
                 is_like(entry->d_name + prefix.size, pattern))
            code = add_file(place, entry->d_name, arena, out, err);
    }
    closedir(names);
    return code;
}

/* Whether file `name` with another ending is there; *out gets that. */
static bool
has_beside(const struct api_place *place, const char *suffix,
           char out[static API_ROOT_NAME_BYTES_MAX + 1])
{
    struct api_place other = *place;
    enum api_place_kind kind = API_PLACE_NOTHING;

    if (place->name[0] == '\0' || snprintf(other.name, sizeof other.name, "%s%s", place->name,
                                           suffix) >= (int)sizeof other.name)
        return false;
    memcpy(out, other.name, sizeof other.name);
    return api_place_look(&other, &kind, NULL) == OK && kind == API_PLACE_FILE;
}

/* --- the forms --- */

/* TensorFlow's V2: `index` is "P.index". */
static enum err_code
add_bundle(const struct api_place *place, const char *index, struct arena *arena,
           struct api_checkpoint_files *out, struct err *err)
{
    char prefix[API_ROOT_NAME_BYTES_MAX + sizeof data_infix];
    int stem = (int)(strlen(index) - strlen(index_suffix));

    TRY(add_file(place, index, arena, out, err));
    snprintf(prefix, sizeof prefix, "%.*s%s", stem, index, data_infix);
    return add_like(place, bytes_of_text(prefix), "#####-of-#####", arena, out, err);
}

/* "P-?????-of-00002": the question marks stand for any digits. */
static enum err_code
add_pattern(const struct api_place *place, struct arena *arena, struct api_checkpoint_files *out,
            struct err *err)
{
    char pattern[API_ROOT_NAME_BYTES_MAX + 1];

    snprintf(pattern, sizeof pattern, "%s", place->name);
    for (char *c = pattern; (c = strchr(c, '?')) != NULL;)
        *c = '#';
    TRY(add_like(place, bytes_of_text(""), pattern, arena, out, err));
    if (out->set.count == 0)
        return err_set(err, ERR_NOT_FOUND, "there are no files like '%s'", place->name);
    return OK;
}

static enum err_code
add_shards(const struct api_place *place, struct arena *arena, struct api_checkpoint_files *out,
           struct err *err)
{
    TRY(add_like(place, bytes_of_text(place->name), "-#####-of-#####", arena, out, err));
    if (out->set.count == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no '%s', and neither '%s.index' nor '%s-00000-of-…' beside it",
                       place->name, place->name, place->name);
    return OK;
}

/* What a name is, in TensorFlow's order: V2 before V1. */
static enum err_code
add_named(const struct api_place *place, enum api_place_kind kind, struct arena *arena,
          struct api_checkpoint_files *out, struct err *err)
{
    struct bytes name = bytes_of_text(place->name);
    char index[API_ROOT_NAME_BYTES_MAX + 1];

    if (has_beside(place, index_suffix, index))
        return add_bundle(place, index, arena, out, err);
    if (strchr(place->name, '?') != NULL && kind == API_PLACE_NOTHING)
        return add_pattern(place, arena, out, err);
    if (kind != API_PLACE_FILE)
        return add_shards(place, arena, out, err);
    if (bytes_end_with(name, bytes_of_text(index_suffix)))
        return add_bundle(place, place->name, arena, out, err);
    TRY(add_file(place, place->name, arena, out, err));
    if (!bytes_end_with(name, bytes_of_text(safetensors_index)))
        return OK;
    name.size -= strlen(safetensors_index);
    return add_like(place, name, "-#####-of-#####.safetensors", arena, out, err);
}

/* --- directories --- */

static enum err_code
read_state(const struct api_place *place, struct arena *arena, struct api_state_file *out,
           struct err *err)
{
    struct api_file file;
    struct bytes text = {0};
    enum err_code code;

    TRY(api_place_open_file(place, API_STATE_FILE_NAME, &file, err));
    if (file.size > API_STATE_FILE_BYTES_MAX)
        code = err_set(err, ERR_INVALID_ARGUMENT, "the file 'checkpoint' has over %d bytes",
                       API_STATE_FILE_BYTES_MAX);
    else
        code = api_file_text(&file, arena, &text, err);
    close(file.descriptor);
    TRY(code);
    return api_state_file_read(text, arena, out, err);
}

static enum err_code
add_latest(struct api_place *place, struct arena *arena, struct api_checkpoint_files *out,
           struct err *err)
{
    AUTO(api_place) latest = {.opened = false};
    struct api_state_file state;
    enum api_place_kind kind;
    const char *path;
    enum err_code code;

    TRY(api_place_enter(place, err));
    code = read_state(place, arena, &state, err);
    if (code == ERR_NOT_FOUND) {
        err_clear(err);
        return err_set(err, ERR_NOT_FOUND,
                       "the directory has no file 'checkpoint' that names the latest checkpoint: "
                       "name a file or a prefix");
    }
    TRY(code);
    if (state.latest.data == NULL || state.latest.size == 0)
        return err_set(err, ERR_NOT_FOUND, "the file 'checkpoint' names no latest checkpoint");
    path = (const char *)state.latest.data;
    if (path[0] == '/') /* of the computer it was written on */
        path = strrchr(path, '/') + 1;
    code = api_place_find(place, path, false, &latest, err);
    if (code == OK)
        code = api_place_look(&latest, &kind, err);
    if (code == OK)
        code = add_named(&latest, kind, arena, out, err);
    if (code != OK)
        err_prefix(err, "the latest checkpoint of the file 'checkpoint'");
    return code;
}

static enum err_code
add_chosen(struct api_place *place, const char *prefix, struct arena *arena,
           struct api_checkpoint_files *out, struct err *err)
{
    AUTO(api_place) chosen = {.opened = false};
    enum api_place_kind kind;

    TRY(api_place_enter(place, err));
    TRY(api_place_find(place, prefix, false, &chosen, err));
    TRY(api_place_look(&chosen, &kind, err));
    return add_named(&chosen, kind, arena, out, err);
}

enum err_code
api_checkpoint_files_open(const struct api_root *root, const char *path, const char **prefix,
                          struct arena *arena, struct api_checkpoint_files *out, struct err *err)
{
    AUTO(api_place) place = {.opened = false};
    enum api_place_kind kind;
    char index[API_ROOT_NAME_BYTES_MAX + 1];

    *out = (struct api_checkpoint_files){.set = {.count = 0}};
    TRY(api_root_find(root, path, false, &place, err));
    TRY(api_place_look(&place, &kind, err));
    if (kind == API_PLACE_FOLDER && *prefix != NULL) {
        TRY(add_chosen(&place, *prefix, arena, out, err));
        *prefix = NULL;
        return OK;
    }
    if (kind == API_PLACE_FOLDER && !has_beside(&place, index_suffix, index))
        return add_latest(&place, arena, out, err);
    return add_named(&place, kind, arena, out, err);
}
