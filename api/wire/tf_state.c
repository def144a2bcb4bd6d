#include "api/wire/tf_state.h"

#include "api/file/state_file.h"
#include "store/base/scope.h"

/* The bytes of a path up to its last slash, with it. */
static size_t
folder_size(struct bytes path)
{
    size_t size = path.size;

    while (size > 0 && path.data[size - 1] != '/')
        size--;
    return size;
}

/* NULL when there is none, or more than one. */
static const struct api_file_entry *
find_state_file(const struct api_file_set *set)
{
    const struct api_file_entry *found = NULL;

    for (size_t i = 0; i < set->count; i++) {
        struct bytes name = set->entries[i].name;
        size_t folder = folder_size(name);

        if (!bytes_equal(bytes_of(name.data + folder, name.size - folder),
                         bytes_of_text(API_STATE_FILE_NAME)))
            continue;
        if (found != NULL)
            return NULL;
        found = &set->entries[i];
    }
    return found;
}

static enum err_code
read_state(const struct api_wire_input *input, const struct api_file *file,
           struct api_state_file *out, struct err *err)
{
    uint8_t *text;

    if (file->size > API_STATE_FILE_BYTES_MAX)
        return ERR_PAYLOAD_TOO_LARGE;
    text = arena_alloc(input->arena, (size_t)file->size, err);
    if (text == NULL)
        return ERR_NO_MEMORY;
    TRY(api_file_read(file, 0, text, (size_t)file->size, err));
    return api_state_file_read(bytes_of(text, (size_t)file->size), input->arena, out, err);
}

/* Whatever folder the path tells of: it was one of another machine, and the files are here. */
struct bytes
api_tf_state_latest(const struct api_wire_input *input)
{
    const struct api_file_entry *entry = find_state_file(input->files);
    struct api_state_file state = {.path_count = 0};
    struct bytes none = {NULL, 0};
    size_t folder, path_folder;
    uint8_t *prefix;

    if (entry == NULL || read_state(input, &entry->file, &state, NULL) != OK ||
        state.latest.data == NULL)
        return none;
    folder = folder_size(entry->name);
    path_folder = folder_size(state.latest);
    prefix = arena_alloc(input->arena, folder + state.latest.size - path_folder, NULL);
    if (prefix == NULL)
        return none;
    memcpy(prefix, entry->name.data, folder);
    memcpy(prefix + folder, state.latest.data + path_folder, state.latest.size - path_folder);
    return bytes_of(prefix, folder + state.latest.size - path_folder);
}

enum err_code
api_tf_state_lay_out(struct api_layout *out, const char *prefix, struct err *err)
{
    struct bytes path = bytes_of_text(prefix);
    struct api_state_file state = {.latest = path, .paths = &path, .path_count = 1};
    AUTO(buf) text = {0};

    buf_init(&text, API_STATE_FILE_BYTES_MAX);
    TRY(api_state_file_write(&state, &text, err));
    TRY(api_layout_file(out, API_STATE_FILE_NAME, err));
    return api_layout_copy(out, buf_bytes(&text), err);
}
