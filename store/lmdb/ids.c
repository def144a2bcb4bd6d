#include "store/lmdb/ids.h"

#include <stdlib.h>

#include "store/base/alloc.h"

void
store_ids_drop(struct store_ids *s)
{
    mem_free(s->ids);
    *s = (struct store_ids){0};
}

void
store_ids_add(struct store_ids *s, uint64_t id)
{
    uint64_t *grown = mem_grown(s->ids, s->count, &s->capacity, sizeof *grown, NULL);

    if (grown == NULL) {
        s->failed = true;
        return;
    }
    s->ids = grown;
    s->ids[s->count++] = id;
}

static int
by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

enum err_code
store_ids_sort(struct store_ids *s, struct err *err)
{
    if (s->failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory: more than %zu chunk ids are too many",
                       s->count);
    if (s->count > 0)
        qsort(s->ids, s->count, sizeof s->ids[0], by_number);
    return OK;
}

bool
store_ids_has(const struct store_ids *s, uint64_t id)
{
    return s->count > 0 && bsearch(&id, s->ids, s->count, sizeof s->ids[0], by_number) != NULL;
}
