/* Which of some files are a V1 checkpoint. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/file/sstable_read.h"
#include "api/json/text.h"
#include "api/wire/tf_names.h"
#include "api/wire/tf_state.h"
#include "api/wire/tf_v1.h"

enum { SUFFIX_BYTES = 1 + API_TF_SHARD_BYTES }; /* "-00001-of-00002" */

struct candidate {
    const struct api_file_entry *entry;
    struct bytes prefix;
    uint32_t number, count; /* count 0: a whole checkpoint, without numbers */
};

/* Whether it ends in the number of a file, or, for a pattern, in that of all of them. */
static bool
has_suffix(struct bytes name, bool pattern, uint32_t *number, uint32_t *count)
{
    const uint8_t *suffix;

    if (name.size <= SUFFIX_BYTES)
        return false;
    suffix = name.data + name.size - SUFFIX_BYTES;
    return suffix[0] == '-' && api_tf_shard_read(suffix + 1, number, count) &&
           (pattern ? *number == API_TF_SHARD_ANY : *number < *count);
}

static struct candidate
candidate_of(const struct api_file_entry *entry)
{
    struct candidate candidate = {.entry = entry, .prefix = entry->name};

    if (has_suffix(entry->name, false, &candidate.number, &candidate.count))
        candidate.prefix.size -= SUFFIX_BYTES;
    else
        candidate.count = 0;
    return candidate;
}

/* Whether it is the one that is asked for: by prefix, by pattern as in state files, with or without
 * the folders before it. */
static bool
is_wanted(const struct candidate *candidate, struct bytes wanted)
{
    uint32_t number = 0, count = 0;

    if (wanted.data == NULL)
        return true;
    if (has_suffix(wanted, true, &number, &count)) {
        if (count != candidate->count)
            return false;
        wanted.size -= SUFFIX_BYTES;
    }
    return api_tf_prefix_is(candidate->prefix, wanted);
}

static int
by_place(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = bytes_compare(x->prefix, y->prefix);

    if (order != 0)
        return order;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum err_code
check_whole(const struct candidate *candidates, size_t count, struct err *err)
{
    char a[API_SHOWN_BYTES_MAX + 1], b[API_SHOWN_BYTES_MAX + 1];
    const struct candidate *first = &candidates[0];

    for (size_t i = 1; i < count; i++)
        if (!bytes_equal(candidates[i].prefix, first->prefix) ||
            candidates[i].count != first->count)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "there are several checkpoints, among them '%s' and '%s': say which "
                           "with prefix=",
                           api_text_shown(first->entry->name, a),
                           api_text_shown(candidates[i].entry->name, b));
    for (uint32_t i = 0; i < first->count; i++)
        if (i >= count || candidates[i].number != i)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "file %" PRIu32 " of %" PRIu32
                           " of checkpoint '%s' is missing: '%s-" API_TF_SHARD_FORMAT "'",
                           i, first->count, api_text_shown(first->prefix, a), a, i, first->count);
    return OK;
}

/* Keeps those that are wanted, unless there is none. */
static size_t
narrow(struct candidate *candidates, size_t count, struct bytes wanted)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        kept += is_wanted(&candidates[i], wanted);
    if (kept == 0)
        return count;
    kept = 0;
    for (size_t i = 0; i < count; i++)
        if (is_wanted(&candidates[i], wanted))
            candidates[kept++] = candidates[i];
    return kept;
}

/* A table that is no index of a V2 checkpoint. */
static bool
may_be(const struct api_file_entry *entry)
{
    return !bytes_end_with(entry->name, bytes_of_text(".index")) &&
           api_sstable_looks_like(&entry->file);
}

bool
api_tf_v1_claims(const struct api_wire_input *input)
{
    for (size_t i = 0; i < input->files->count; i++)
        if (may_be(&input->files->entries[i]))
            return true;
    return false;
}

static size_t
collect(const struct api_wire_input *input, struct candidate *out)
{
    const struct api_file_set *set = input->files;
    struct bytes wanted = {NULL, 0};
    size_t count = 0;

    if (input->prefix != NULL)
        wanted = bytes_of_text(input->prefix);
    for (size_t i = 0; i < set->count; i++) {
        out[count] = candidate_of(&set->entries[i]);
        count += is_wanted(&out[count], wanted) && may_be(&set->entries[i]);
    }
    return wanted.data != NULL || count < 2 ? count
                                            : narrow(out, count, api_tf_state_latest(input));
}

enum err_code
api_tf_v1_find(const struct api_wire_input *input, struct api_tf_v1_files *out, struct err *err)
{
    struct candidate *candidates =
        arena_array(input->arena, input->files->count, sizeof *candidates, err);
    char shown[API_SHOWN_BYTES_MAX + 1];
    size_t count;

    if (candidates == NULL)
        return ERR_NO_MEMORY;
    count = collect(input, candidates);
    if (count == 0 && input->prefix != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "there is no checkpoint '%s' among the files",
                       api_text_shown(bytes_of_text(input->prefix), shown));
    if (count == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "none of the files is a table of TensorFlow's, or its end is missing");
    qsort(candidates, count, sizeof *candidates, by_place);
    TRY(check_whole(candidates, count, err));
    out->files = arena_array(input->arena, count, sizeof *out->files, err);
    if (out->files == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        out->files[i] = candidates[i].entry;
    out->prefix = candidates[0].prefix;
    out->count = count;
    return OK;
}
