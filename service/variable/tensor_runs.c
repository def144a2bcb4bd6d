#include "service/variable/tensor_runs.h"

#include "store/base/alloc.h"
#include "store/base/check.h"

enum err_code
tensor_runs_open(const struct tensor_set *set, size_t entry, struct tensor_runs *out,
                 struct err *err)
{
    const struct tensor_set_entry *e = &set->entries[entry];

    *out = (struct tensor_runs){.list = set->spans + e->span_first, .count = e->span_count};
    out->begins = mem_zeroed(out->count + 1, sizeof *out->begins, err);
    if (out->begins == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < out->count; i++) {
        out->begins[i] = out->size;
        out->size += out->list[i].size;
    }
    CHECK(out->size == e->size);
    return OK;
}

void
tensor_runs_drop(struct tensor_runs *runs)
{
    mem_free(runs->begins);
    runs->begins = NULL;
}

/* The last run that begins at `offset` or before. */
static size_t
find(const struct tensor_runs *runs, uint64_t offset)
{
    size_t low = 0, high = runs->count;

    CHECK(offset < runs->size);
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;

        if (runs->begins[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct bytes
tensor_runs_at(const struct tensor_runs *runs, uint64_t offset)
{
    const size_t i = find(runs, offset);
    const size_t skipped = (size_t)(offset - runs->begins[i]);

    return bytes_of(runs->list[i].data + skipped, runs->list[i].size - skipped);
}

const uint8_t *
tensor_runs_bytes(const struct tensor_runs *runs, uint64_t offset, size_t size, void *room)
{
    struct bytes piece = tensor_runs_at(runs, offset);
    uint8_t *to = room;

    if (piece.size >= size)
        return piece.data;
    for (size_t done = 0, n = 0; done < size; done += n) {
        piece = tensor_runs_at(runs, offset + done);
        n = piece.size < size - done ? piece.size : size - done;
        memcpy(to + done, piece.data, n);
    }
    return room;
}

bool
tensor_runs_repeat(const struct tensor_runs *runs)
{
    for (size_t i = 1; i < runs->count; i++)
        if (runs->list[i].data != runs->list[0].data)
            return false;
    return runs->count > 1;
}
