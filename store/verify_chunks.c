/* Chunks that nothing names. Writers may go on meanwhile, so only a chunk that was there before the
 * snapshot and is there after it, without being named in between, is one too many. */
#include <inttypes.h>
#include <stdlib.h>

#include "store/base/alloc.h"
#include "store/verify_state.h"

static int
by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

enum err_code
verify_ids_add(struct verify_ids *ids, uint64_t id, struct err *err)
{
    uint64_t *grown = mem_grown(ids->ids, ids->count, &ids->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    ids->ids = grown;
    ids->ids[ids->count++] = id;
    return OK;
}

void
verify_ids_sort(struct verify_ids *ids)
{
    if (ids->count > 0)
        qsort(ids->ids, ids->count, sizeof ids->ids[0], by_number);
}

static bool
has_id(const struct verify_ids *ids, uint64_t id)
{
    return ids->count > 0 &&
           bsearch(&id, ids->ids, ids->count, sizeof ids->ids[0], by_number) != NULL;
}

static void
gather(void *ctx, uint64_t id)
{
    struct verify_state *s = ctx;

    if (!s->before.failed && verify_ids_add(&s->before, id, NULL) != OK)
        s->before.failed = true;
}

enum err_code
verify_chunks_before(struct verify_state *s, struct err *err)
{
    TRY(store_chunk_walk(s->store, gather, s, err));
    if (s->before.failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory: the chunks are too many to check");
    verify_ids_sort(&s->before);
    return OK;
}

static void
check_named(void *ctx, uint64_t id)
{
    struct verify_state *s = ctx;

    if (has_id(&s->before, id) && !has_id(&s->named, id))
        verify_finding(s, "no list names chunk %016" PRIx64, id);
}

enum err_code
verify_chunks_after(struct verify_state *s, struct err *err)
{
    verify_ids_sort(&s->named);
    return store_chunk_walk(s->store, check_named, s, err);
}
