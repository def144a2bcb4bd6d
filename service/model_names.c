#include "service/model_names.h"

#include <inttypes.h>

#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { CAPACITY_MIN = 64 };

void
model_names_drop(struct model_names *names)
{
    mem_free(names->places);
    *names = (struct model_names){0};
}

/* Where the id is, or would be. */
static struct model_name *
place_of(const struct model_names *names, uint64_t id)
{
    size_t mask = names->capacity - 1, at = (size_t)(id * UINT64_C(0x9E3779B97F4A7C15) >> 32);

    while (names->places[at & mask].id != 0 && names->places[at & mask].id != id)
        at++;
    return &names->places[at & mask];
}

static enum err_code
grow(struct model_names *names, struct err *err)
{
    struct model_names larger = {.count = names->count,
                                 .capacity =
                                     names->capacity == 0 ? CAPACITY_MIN : 2 * names->capacity};

    larger.places = mem_zeroed(larger.capacity, sizeof *larger.places, err);
    if (larger.places == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->places[i].id != 0)
            *place_of(&larger, names->places[i].id) = names->places[i];
    mem_free(names->places);
    *names = larger;
    return OK;
}

static enum err_code
add(struct model_names *names, uint64_t id, struct bytes name, struct err *err)
{
    struct model_name *place;

    CHECK(id != 0 && name.size <= NAME_MODEL_BYTES_MAX);
    if (2 * names->count >= names->capacity)
        TRY(grow(names, err));
    place = place_of(names, id);
    names->count += place->id == 0;
    place->id = id;
    memcpy(place->name, name.data, name.size);
    place->name[name.size] = '\0';
    return OK;
}

/* Models that are deleted stay until there are as many as those that are not. */
enum err_code
model_names_add(struct model_names *names, uint64_t id, struct bytes name, struct err *err)
{
    if (names->capacity > CAPACITY_MIN && 2 * names->count >= names->capacity)
        model_names_drop(names);
    return add(names, id, name, err);
}

static const char *
find(const struct model_names *names, uint64_t id)
{
    const struct model_name *place = names->capacity == 0 ? NULL : place_of(names, id);

    return place == NULL || place->id == 0 ? NULL : place->name;
}

static enum err_code
read_all(struct model_names *names, const struct store_view *view, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_model("");
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct model_record model;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_model(value, &model, err));
        TRY(add(names, model.id, record_key_name(key), err));
    }
}

enum err_code
model_names_get(struct model_names *names, const struct store_view *view, uint64_t id,
                const char **out, struct err *err)
{
    *out = find(names, id);
    if (*out != NULL)
        return OK;
    TRY(read_all(names, view, err));
    *out = find(names, id);
    if (*out != NULL)
        return OK;
    return err_set(err, ERR_DATA_LOSS, "records name a model of id %" PRIu64 ", there is none", id);
}
