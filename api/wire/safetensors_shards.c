/* A set that was cut into several safetensors files, as large models are published:
 * NAME-00001-of-00003.safetensors … and, beside them, NAME.safetensors.index.json, which says in
 * its weight_map which file has which tensor. Without an index the files simply add up. Read only:
 * a checkpoint goes out as one file. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/json/jsonio.h"
#include "api/json/text.h"
#include "api/wire/format.h"
#include "api/wire/safetensors.h"
#include "store/base/scope.h"

enum { INDEX_BYTES_MAX = 32 << 20 };

/* Without the folder that an archive may have it in. */
static struct bytes
plain_name(struct bytes name)
{
    const uint8_t *slash = memrchr(name.data, '/', name.size);

    return slash == NULL ? name : bytes_of(slash + 1, name.size - (size_t)(slash + 1 - name.data));
}

static bool
is_shard(const struct api_file_entry *entry)
{
    const struct bytes suffix = bytes_of_text(".safetensors");

    return entry->name.size > suffix.size && bytes_end_with(entry->name, suffix);
}

static bool
claims(const struct api_wire_input *input)
{
    for (size_t i = 0; i < input->files->count; i++)
        if (is_shard(&input->files->entries[i]))
            return true;
    return false;
}

/* One file that is read when its turn comes. */
struct part {
    struct bytes name;
    struct api_file_stream stream;
    uint64_t left; /* bytes of tensors */
};

struct state {
    struct part *parts; /* in the arena */
    size_t count, at;
};

static enum err_code
read_tensors(void *context, void *out, size_t size, struct err *err)
{
    struct state *state = context;
    struct part *part;
    struct api_byte_source source;

    if (size == 0)
        return OK;
    while (state->parts[state->at].left == 0)
        state->at++;
    part = &state->parts[state->at];
    source = api_file_source(&part->stream);
    part->left -= size;
    return api_byte_source_exactly(&source, "the file", "its tensors", out, size, err);
}

static enum err_code
add_tensor(const struct api_wire_input *input, const struct api_safetensors_entry *entry,
           struct api_wire_catalog *catalog, size_t *capacity, struct err *err)
{
    struct api_wire_tensor *tensors;

    if (catalog->count == input->limits->tensors_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "over %" PRIu32 " tensors in one checkpoint (variables_per_request_max)",
                       input->limits->tensors_max);
    tensors =
        arena_grown(input->arena, catalog->tensors, catalog->count, capacity, sizeof *tensors, err);
    if (tensors == NULL)
        return ERR_NO_MEMORY;
    catalog->tensors = tensors;
    tensors[catalog->count++] = (struct api_wire_tensor){
        .name = entry->name,
        .type = entry->type,
        .size = entry->end - entry->begin,
        .shard = catalog->shards,
    };
    return OK;
}

static enum err_code
add_part(const struct api_wire_input *input, const struct api_file_entry *entry, struct part *part,
         struct api_wire_catalog *catalog, size_t *capacity, struct err *err)
{
    struct api_safetensors_header header;
    struct api_byte_source source;

    *part = (struct part){.name = plain_name(entry->name), .stream = {.file = entry->file}};
    source = api_file_source(&part->stream);
    TRY(api_safetensors_read_header(&source, "a file of it", entry->file.size, input->arena,
                                    &header, err));
    for (size_t i = 0; i < header.count; i++)
        TRY(add_tensor(input, &header.entries[i], catalog, capacity, err));
    if (catalog->metadata == NULL) {
        catalog->metadata = header.metadata;
        catalog->metadata_count = header.metadata_count;
    }
    part->left = header.data_size;
    catalog->shards++;
    return OK;
}

/* --- names over all files, and the index --- */

struct place {
    struct bytes name;
    uint32_t shard;
};

static int
by_name(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return bytes_compare(x->name, y->name);
}

static enum err_code
list_places(const struct api_wire_input *input, const struct api_wire_catalog *catalog,
            struct place **out, struct err *err)
{
    struct place *places = arena_array(input->arena, catalog->count, sizeof *places, err);
    char name[API_SHOWN_BYTES_MAX + 1];

    if (places == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < catalog->count; i++)
        places[i] = (struct place){catalog->tensors[i].name, catalog->tensors[i].shard};
    if (catalog->count > 0)
        qsort(places, catalog->count, sizeof *places, by_name);
    for (size_t i = 1; i < catalog->count; i++)
        if (bytes_equal(places[i - 1].name, places[i].name))
            return err_set(err, ERR_INVALID_ARGUMENT, "tensor '%s' is in two of the files",
                           api_text_shown(places[i].name, name));
    *out = places;
    return OK;
}

/* Every tensor that the index names lies in the file it says. */
static enum err_code
check_map(const struct api_value *map, const struct state *state, const struct place *places,
          size_t count, struct arena *arena, struct err *err)
{
    const char **names = NULL;
    struct api_value *values = NULL;
    size_t size = 0;

    TRY(api_value_fields(map, arena, &names, &values, &size, err));
    for (size_t i = 0; i < size; i++) {
        struct place wanted = {.name = bytes_of_text(names[i])};
        const struct place *found;
        const char *file = NULL;

        TRY(api_value_text(&values[i], arena, &file, err));
        found = count > 0 ? bsearch(&wanted, places, count, sizeof *places, by_name) : NULL;
        if (found == NULL || !bytes_equal(state->parts[found->shard].name, bytes_of_text(file)))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the index says that '%.120s' is in the file '%.120s'; there it is not",
                           names[i], file);
    }
    return OK;
}

static enum err_code
check_index(const struct api_wire_input *input, const struct api_file *file,
            const struct state *state, const struct place *places, size_t count, struct err *err)
{
    static const struct api_json_limits limits = {INDEX_BYTES_MAX, INDEX_BYTES_MAX};
    struct api_json *doc = NULL;
    struct api_value root, map;
    struct api_object object;
    uint8_t *text;
    enum err_code code;

    if (file->size > INDEX_BYTES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "an index of %" PRIu64 " bytes, at most %d are read", file->size,
                       INDEX_BYTES_MAX);
    text = arena_alloc(input->arena, (size_t)file->size, err);
    if (text == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    TRY(api_file_read(file, 0, text, (size_t)file->size, err));
    TRY(api_json_parse(bytes_of(text, (size_t)file->size), &limits, &doc, err));
    root = api_json_root(doc);
    code = api_object_of(&root, &object, err);
    if (code == OK)
        code = api_object_value(&object, "weight_map", &map, err);
    if (code == OK)
        code = check_map(&map, state, places, count, input->arena, err);
    api_json_drop(doc);
    return code;
}

static enum err_code
open_reader(const struct api_wire_input *input, struct api_wire_reader *out, struct err *err)
{
    const struct api_file_set *files = input->files;
    struct state *state = arena_alloc(input->arena, sizeof *state, err);
    struct place *places = NULL;
    size_t capacity = 0; /* of the catalog */

    if (state == NULL)
        return ERR_NO_MEMORY;
    if (!claims(input)) /* of this format only because the client says so */
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "no name of the files ends in .safetensors, as those of a model in several "
                       "files do");
    *state = (struct state){.at = 0};
    state->parts = arena_array(input->arena, files->count, sizeof *state->parts, err);
    if (state->parts == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < files->count; i++)
        if (is_shard(&files->entries[i]))
            TRY(add_part(input, &files->entries[i], &state->parts[state->count++], &out->catalog,
                         &capacity, err));
    TRY(list_places(input, &out->catalog, &places, err));
    for (size_t i = 0; i < files->count; i++)
        if (bytes_end_with(files->entries[i].name, bytes_of_text(".safetensors.index.json")))
            TRY(check_index(input, &files->entries[i].file, state, places, out->catalog.count,
                            err));
    out->source = (struct tensor_source){.context = state, .read = read_tensors};
    return OK;
}

const struct api_wire_format api_wire_safetensors_shards = {
    .name = "safetensors_shards",
    .media_type = "application/vnd.safetensors-shards",
    .claims = claims,
    .open = open_reader,
};
