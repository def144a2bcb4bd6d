/* Checkpoints from and to files of this computer, below the directory that the setting
 * checkpoint_root names. */
#include <stdio.h>

#include "api/file/checkpoint_files.h"
#include "api/file/folder_write.h"
#include "api/file/state_file.h"
#include "api/handlers/handlers.h"
#include "api/handlers/transfer.h"
#include "api/outcome.h"
#include "api/resource/describe.h"
#include "service/run/outcome.h"
#include "store/base/scope.h"

static enum err_code
open_root(struct api_request *rq, struct api_root *out, struct err *err)
{
    const struct settings *settings = api_request_settings(rq);

    return api_root_open(settings->checkpoint_root, settings->data, out, err);
}

/* --- in --- */

/* {"name", "path", "overwrite", and what PUT …/checkpoints/{name} takes as a query} */
enum err_code
api_checkpoint_import_files(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_root) root = {.opened = false};
    AUTO(api_checkpoint_files) files = {.set = {.count = 0}};
    AUTO(api_import) import = {.rq = rq};
    struct arena *arena = api_request_arena(rq);
    struct api_imported imported = {.import = &import};
    const char *name = NULL, *path = NULL;
    struct api_import_options how;
    struct write_options options;
    struct api_object body;
    uint64_t revision = 0;
    bool overwrite = false, given = false;

    TRY(open_root(rq, &root, err));
    TRY(api_request_object(rq, &body, err));
    TRY(api_object_text(&body, "name", arena, &name, NULL, err));
    TRY(api_object_text(&body, "path", arena, &path, NULL, err));
    TRY(api_object_bool(&body, "overwrite", &overwrite, &given, err));
    TRY(api_import_options_of(rq, &body, &how, err));
    TRY(api_object_end(&body, err));
    TRY(api_outcome_begin(rq, api_render_imported, &imported, &options, err));
    TRY(api_checkpoint_files_open(&root, path, &how.prefix, arena, &files, err));
    TRY(api_import_open_files(rq, &files.set, &how, &import, err));
    TRY(api_transfer_in(rq, name, overwrite, &options, &imported, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

/* --- out --- */

/* Where an export goes, and what it is answered from. */
struct exported {
    const struct checkpoint_info *info;
    const char *format;
    const char *path;   /* below the root; of what has several files, their prefix */
    const char *latest; /* for the file "checkpoint"; NULL: none */
    bool named;         /* the last component is the name of the one file, as it is */
    struct api_layout files;
    const struct api_export_made *made;
};

static enum err_code
render_exported(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
                struct err *err)
{
    const struct exported *exported = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *files = json_array();
    uint64_t bytes = 0;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_json_made(json_pack("{s:s, s:s, s:s}", "name", exported->info->name, "format",
                                exported->format, "path", exported->path),
                      &json, err));
    TRY(api_json_set(json, "files", files, err));
    for (size_t i = 0; i < exported->files.file_count; i++) {
        const struct api_layout_file *file = &exported->files.files[i];

        TRY(api_json_push(
            files, json_pack("{s:s, s:I}", "name", file->name, "bytes", (json_int_t)file->size),
            err));
        bytes += file->size;
    }
    TRY(api_json_set(json, "bytes", json_integer((json_int_t)bytes), err));
    TRY(api_describe_skipped(exported->made->skipped, exported->made->skipped_count, json, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

/* "a/b" of a directory that is there, or "a/b/": the checkpoint's own name in it. Else what is to
 * be written, or the prefix of that. */
static enum err_code
choose_path(struct api_request *rq, const struct api_root *root, const char *path,
            const char *own_name, struct exported *out, struct err *err)
{
    AUTO(api_place) place = {.opened = false};
    enum api_place_kind kind = API_PLACE_NOTHING;
    size_t size = strlen(path);
    bool folder = size > 0 && path[size - 1] == '/', root_itself = strcmp(path, ".") == 0;
    enum err_code code = api_root_find(root, path, false, &place, err);
    char *joined;

    if (code == OK)
        TRY(api_place_look(&place, &kind, err));
    else if (code == ERR_NOT_FOUND)
        err_clear(err); /* it will be made */
    else
        return code;
    out->path = path;
    out->named = !folder && kind != API_PLACE_FOLDER;
    if (out->named)
        return OK;
    joined = arena_alloc(api_request_arena(rq), size + strlen(own_name) + 2, err);
    if (joined == NULL)
        return ERR_NO_MEMORY;
    memcpy(joined, path, root_itself ? 0 : size);
    snprintf(joined + (root_itself ? 0 : size), strlen(own_name) + 2, "%s%s",
             folder || root_itself ? "" : "/", own_name);
    out->path = joined;
    return OK;
}

/* The files that are to be written, without the file "checkpoint" that some formats lay out: it
 * tells of more than this one checkpoint. */
static enum err_code
choose_files(struct api_request *rq, const struct api_export *what, const char *last,
             struct exported *out, struct err *err)
{
    struct api_layout *files = &out->files;
    bool archive = what->options.container != API_CONTAINER_UNSAID;
    bool in_state = what->options.format->in_state && !archive;
    size_t kept = 0, name_size = strlen(what->name);
    char latest[API_ROOT_NAME_BYTES_MAX + 32];

    if (in_state && strcmp(what->name, API_STATE_FILE_NAME) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a prefix '%s' would be taken for TensorFlow's file of that name",
                       what->name);
    for (size_t i = 0; i < files->file_count; i++)
        if (!in_state || strcmp(files->files[i].name, API_STATE_FILE_NAME) != 0)
            files->files[kept++] = files->files[i];
    files->file_count = kept;
    /* A lone V1 file is called just as its prefix. */
    if (files->file_count == 1 && (archive || !what->options.format->many_files) &&
        (out->named || in_state))
        files->files[0].name = last;
    if (!in_state)
        return OK;
    snprintf(latest, sizeof latest, "%s", what->name);
    /* V1 in several files is spoken of as a pattern. */
    if (!what->options.format->many_files && files->file_count > 1)
        snprintf(latest, sizeof latest, "%s-?????%s", what->name,
                 files->files[0].name + name_size + strlen("-00000"));
    out->latest = arena_text(api_request_arena(rq), bytes_of_text(latest), err);
    return out->latest == NULL ? ERR_NO_MEMORY : OK;
}

/* Of one file the path is told with the name that it has. */
static enum err_code
name_path(struct api_request *rq, const struct api_export *what, struct exported *out,
          struct err *err)
{
    const char *name = out->files.files[0].name;
    size_t folder = strlen(out->path) - strlen(what->name);
    char *path;

    if (out->files.file_count != 1 || out->named)
        return OK;
    path = arena_alloc(api_request_arena(rq), folder + strlen(name) + 1, err);
    if (path == NULL)
        return ERR_NO_MEMORY;
    memcpy(path, out->path, folder);
    memcpy(path + folder, name, strlen(name));
    out->path = path;
    return OK;
}

/* What the last component of the path says of a checkpoint's name: of "m.tar" that is "m". */
static enum err_code
name_of(struct api_request *rq, const struct api_export *what, const char *last, const char **out,
        struct err *err)
{
    enum api_container container = what->options.container;
    struct bytes name = bytes_of_text(last);
    struct bytes ending = bytes_of_text(container == API_CONTAINER_ZIP ? ".zip" : ".tar");

    *out = last;
    if (container == API_CONTAINER_UNSAID || name.size == ending.size ||
        !bytes_end_with(name, ending))
        return OK;
    *out = arena_text(api_request_arena(rq), bytes_of(last, name.size - ending.size), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
write_out(struct api_request *rq, const struct api_root *root, struct api_export *what,
          bool overwrite, struct tensor_set *set, struct api_export_made *made,
          struct exported *out, struct err *err)
{
    AUTO(api_place) place = {.opened = false};
    struct api_folder_options options = {.overwrite = overwrite};
    const char *slash = strrchr(out->path, '/');
    const char *last = slash != NULL ? slash + 1 : out->path;

    what->name = last;
    if (out->named)
        TRY(name_of(rq, what, last, &what->name, err));
    TRY(api_export_make(rq, what, set, made, err));
    TRY(api_export_wrap(rq, what, what->options.container, made, err));
    out->files = made->layout;
    TRY(choose_files(rq, what, last, out, err));
    TRY(name_path(rq, what, out, err));
    options.latest = out->latest;
    TRY(api_root_find(root, out->path, true, &place, err));
    return api_folder_write(&place, &out->files, &options, err);
}

/* {"path", "format", "overwrite", and what GET …:export takes as a query} */
enum err_code
api_checkpoint_export_files(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_root) root = {.opened = false};
    AUTO(tensor_set) set = {0};
    AUTO(api_export_made) made = {0};
    AUTO(buf) pairs = {0};
    struct api_export what = {.shards = 1};
    struct checkpoint_info info;
    struct exported exported = {.info = &info, .made = &made};
    struct write_options options;
    struct api_object body;
    const char *path = NULL;
    uint64_t revision = 0;
    bool overwrite = false, given = false;

    TRY(open_root(rq, &root, err));
    buf_init(&pairs, CHECKPOINT_METADATA_BYTES_MAX);
    TRY(api_request_object(rq, &body, err));
    TRY(api_object_text(&body, "path", api_request_arena(rq), &path, NULL, err));
    TRY(api_object_bool(&body, "overwrite", &overwrite, &given, err));
    TRY(api_export_options_of_body(rq, &body, &what.options, err));
    TRY(api_object_end(&body, err));
    exported.format = what.options.format->name;
    TRY(api_outcome_begin(rq, render_exported, &exported, &options, err));
    TRY(checkpoint_read_all(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                            &info, &pairs, &set, err));
    TRY(checkpoint_check_conditions(&info, &options, err));
    TRY(api_transfer_out(rq, &info, buf_bytes(&pairs), &what, err));
    TRY(choose_path(rq, &root, path, what.name, &exported, err));
    TRY(write_out(rq, &root, &what, overwrite, &set, &made, &exported, err));
    TRY(outcome_note(api_request_service(rq), &options, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}
