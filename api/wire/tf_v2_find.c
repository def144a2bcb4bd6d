/* Which of some files are a V2 checkpoint. */
#include <inttypes.h>
#include <stdio.h>

#include "api/file/sstable_read.h"
#include "api/json/text.h"
#include "api/wire/tf_names.h"
#include "api/wire/tf_state.h"
#include "api/wire/tf_v2.h"

/* ".data-00000-of-00001" */
enum {
    DATA_NUMBER_AT = 6,
    DATA_BYTES = DATA_NUMBER_AT + API_TF_SHARD_BYTES,
    DATA_ROOM_BYTES = 32, /* for numbers that are too large, too */
    INDEX_BYTES = 6
};

/* --- the index --- */

/* Not so for names that do not end in ".index". */
static bool
prefix_of(const struct api_file_entry *entry, struct bytes *out)
{
    *out = entry->name;
    if (out->size <= INDEX_BYTES ||
        memcmp(out->data + out->size - INDEX_BYTES, ".index", INDEX_BYTES) != 0)
        return false;
    out->size -= INDEX_BYTES;
    return true;
}

static bool
is_wanted(struct bytes prefix, const char *asked)
{
    return asked == NULL || api_tf_prefix_is(prefix, bytes_of_text(asked));
}

static const struct bytes any = {NULL, 0};

struct candidates {
    const struct api_file_entry *entries[2]; /* the first two */
    struct bytes prefixes[2];
    size_t count; /* 2: two or more */
};

/* Those that may be meant. `strict`: of these, those that end as an index does; `only`: that one,
 * if data is not NULL. */
static struct candidates
look_for(const struct api_wire_input *input, bool strict, struct bytes only)
{
    struct candidates found = {.count = 0};

    for (size_t i = 0; i < input->files->count && found.count < 2; i++) {
        const struct api_file_entry *entry = &input->files->entries[i];
        struct bytes prefix;

        if (!prefix_of(entry, &prefix) || !is_wanted(prefix, input->prefix) ||
            (strict && !api_sstable_looks_like(&entry->file)) ||
            (only.data != NULL && !bytes_equal(prefix, only)))
            continue;
        found.entries[found.count] = entry;
        found.prefixes[found.count++] = prefix;
    }
    return found;
}

bool
api_tf_v2_claims(const struct api_wire_input *input)
{
    return look_for(input, false, any).count > 0;
}

static enum err_code
found_none(const struct api_wire_input *input, struct err *err)
{
    char shown[API_SHOWN_BYTES_MAX + 1];

    if (input->prefix == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "no name of the files ends in .index, as that of a TensorFlow checkpoint's "
                       "index does");
    return err_set(err, ERR_INVALID_ARGUMENT, "there is no checkpoint '%s' among the files",
                   api_text_shown(bytes_of_text(input->prefix), shown));
}

/* A single file that is called so is the index even if it is broken: the error says how. Of several
 * it is the latest, if they say which that is. */
static enum err_code
choose(const struct api_wire_input *input, struct candidates *out, struct err *err)
{
    char a[API_SHOWN_BYTES_MAX + 1], b[API_SHOWN_BYTES_MAX + 1];
    struct candidates strict;

    *out = look_for(input, false, any);
    if (out->count == 0)
        return found_none(input, err);
    if (out->count == 1)
        return OK;
    strict = look_for(input, true, any);
    if (strict.count > 0)
        *out = strict;
    if (strict.count > 1 && input->prefix == NULL) {
        strict = look_for(input, true, api_tf_state_latest(input));
        if (strict.count == 1)
            *out = strict;
    }
    if (out->count == 1)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "there are several checkpoints, among them '%s' and '%s': say which with "
                   "prefix=",
                   api_text_shown(out->prefixes[0], a), api_text_shown(out->prefixes[1], b));
}

enum err_code
api_tf_v2_find(const struct api_wire_input *input, struct api_tf_v2_files *out, struct err *err)
{
    struct candidates found = {.count = 0};

    TRY(choose(input, &found, err));
    *out = (struct api_tf_v2_files){
        .set = input->files, .index = &found.entries[0]->file, .prefix = found.prefixes[0]};
    out->name = arena_alloc(input->arena, out->prefix.size + DATA_ROOM_BYTES, err);
    if (out->name == NULL)
        return ERR_NO_MEMORY;
    memcpy(out->name, out->prefix.data, out->prefix.size);
    return OK;
}

/* --- data files --- */

/* Whether it is a data file of the checkpoint, and of how many. */
static bool
is_data_file(const struct api_tf_v2_files *files, struct bytes name, uint32_t *count)
{
    uint32_t number;
    const uint8_t *end;

    if (name.size != files->prefix.size + DATA_BYTES || !bytes_start_with(name, files->prefix))
        return false;
    end = name.data + files->prefix.size;
    return memcmp(end, ".data-", DATA_NUMBER_AT) == 0 &&
           api_tf_shard_read(end + DATA_NUMBER_AT, &number, count) && number < *count;
}

void
api_tf_v2_find_shards(struct api_tf_v2_files *files, uint32_t header_shards)
{
    uint32_t only = 0, present = 0;

    files->shards = header_shards;
    for (size_t i = 0; i < files->set->count; i++) {
        uint32_t count = 0;

        if (!is_data_file(files, files->set->entries[i].name, &count))
            continue;
        if (count == header_shards || (only != 0 && count != only))
            return;
        only = count;
        present++;
    }
    if (only > 0 && present == only && only < header_shards)
        files->shards = only;
}

enum err_code
api_tf_v2_shard(const struct api_tf_v2_files *files, uint32_t shard, const struct api_file **out,
                struct err *err)
{
    char *end = files->name + files->prefix.size, shown[API_SHOWN_BYTES_MAX + 1];

    if (shard >= files->shards)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it is in data file %" PRIu32 ", there are %" PRIu32, shard, files->shards);
    snprintf(end, DATA_ROOM_BYTES, ".data-" API_TF_SHARD_FORMAT, shard, files->shards);
    *out = api_file_set_find(files->set, bytes_of(files->name, files->prefix.size + DATA_BYTES));
    if (*out != NULL)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "the file '%s%s' that it is in is missing",
                   api_text_shown(files->prefix, shown), end);
}
