#include "service/placement/model_newcomers.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/placement/partition_devices.h"
#include "service/placement/variable_device.h"
#include "service/state.h"
#include "store/base/check.h"
#include "store/base/scope.h"

struct model_newcomer_parts {
    struct shape shape; /* what has another one is whole */
    struct partition partition;
    struct value_ref devices; /* the variable's own: no reference */
};

/* What one of them is kept for; zeroed: nothing. */
struct model_newcomer_primary {
    struct model_newcomer *newcomer;        /* it comes, too */
    const struct model_newcomer_home *home; /* it is there */
    uint64_t position;                      /* of what is there */
    const char *beside;                     /* the name of what a power is beside */
};

enum err_code
model_newcomers_add(struct model_newcomers *newcomers, struct arena *arena,
                    const struct model_newcomer *newcomer, struct err *err)
{
    struct model_newcomer *grown = arena_grown(arena, newcomers->each, newcomers->count,
                                               &newcomers->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    newcomers->arena = arena;
    newcomers->each = grown;
    grown[newcomers->count] = *newcomer;
    grown[newcomers->count].kept = false;
    grown[newcomers->count++].home = NULL;
    return OK;
}

/* --- by name ------------------------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
    const struct model_newcomer *x = *(struct model_newcomer *const *)a,
                                *y = *(struct model_newcomer *const *)b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : x < y ? -1 : x > y;
}

static enum err_code
sort_names(struct model_newcomers *n, struct err *err)
{
    n->name_count = 0;
    n->by_name = arena_array(n->arena, n->count, sizeof(struct model_newcomer *), err);
    n->primaries = arena_array(n->arena, n->count, sizeof *n->primaries, err);
    if (n->by_name == NULL || n->primaries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n->count; i++)
        n->by_name[i] = &n->each[i];
    qsort(n->by_name, n->count, sizeof(struct model_newcomer *), compare_names);
    for (size_t i = 0; i < n->count; i++)
        if (i == 0 || strcmp(n->by_name[n->name_count - 1]->name, n->by_name[i]->name) != 0)
            n->by_name[n->name_count++] = n->by_name[i];
    return OK;
}

static int
compare_name(const void *name, const void *newcomer)
{
    return bytes_compare(*(const struct bytes *)name,
                         bytes_of_text((*(struct model_newcomer *const *)newcomer)->name));
}

static struct model_newcomer *
find_newcomer(const struct model_newcomers *n, struct bytes name)
{
    struct model_newcomer **found =
        bsearch(&name, n->by_name, n->name_count, sizeof(struct model_newcomer *), compare_name);

    return found == NULL ? NULL : *found;
}

/* --- homes --------------------------------------------------------------------------------- */

static enum err_code
make_home(const struct model_newcomers *n, const char *device, uint8_t placed,
          const struct model_newcomer_home **out, struct err *err)
{
    struct model_newcomer_home *home = arena_alloc(n->arena, sizeof *home, err);

    if (home == NULL)
        return ERR_NO_MEMORY;
    home->device = arena_text(n->arena, bytes_of_text(device), err);
    home->placed = placed;
    *out = home;
    return home->device == NULL ? ERR_NO_MEMORY : OK;
}

/* Of a variable that is there. */
static enum err_code
home_of(const struct model_newcomers *n, const struct variable_record *record,
        const struct model_newcomer_home **out, struct err *err)
{
    struct model_newcomer_parts *parts;
    struct model_newcomer_home *home;

    TRY(make_home(n, record->device, record->placed, out, err));
    if (record->partition.count == 0)
        return OK;
    parts = arena_alloc(n->arena, sizeof *parts, err);
    home = arena_alloc(n->arena, sizeof *home, err);
    if (parts == NULL || home == NULL)
        return ERR_NO_MEMORY;
    *parts =
        (struct model_newcomer_parts){record->type.shape, record->partition, record->part_devices};
    *home = **out;
    home->parts = parts;
    *out = home;
    return OK;
}

/* A record of which only what says where it is and what its parts are counts. */
static void
settle_record(const struct model_newcomer *newcomer, struct variable_record *record)
{
    const struct model_newcomer_home *home = newcomer->home;

    record->type = newcomer->type;
    snprintf(record->device, sizeof record->device, "%s", home->device);
    record->placed = home->placed;
    if (home->parts == NULL)
        return;
    record->partition = home->parts->partition;
    record->part_devices = home->parts->devices;
}

/* --- what is kept for another -------------------------------------------------------------- */

/* The one of this name, if it is there or comes. */
static enum err_code
look_primary(const struct model_newcomers *n, const struct model_newcomer *newcomer, size_t size,
             bool sure, struct model_newcomer_primary *out, bool *found, struct err *err)
{
    struct variable_record record;
    char name[NAME_BYTES_MAX + 1];

    *out = (struct model_newcomer_primary){.newcomer =
                                               find_newcomer(n, bytes_of(newcomer->name, size))};
    *found = out->newcomer != NULL;
    if (*found) {
        *found = sure || model_follow_fits(newcomer->name, size, &newcomer->type, newcomer->trained,
                                           &out->newcomer->type);
        return OK;
    }
    snprintf(name, sizeof name, "%.*s", (int)size, newcomer->name);
    TRY(record_get_variable(n->view, n->model->id, name, found, &record, err));
    if (!*found)
        return OK;
    out->position = record.graph_position;
    *found = sure || (record.shape_known && model_follow_fits(newcomer->name, size, &newcomer->type,
                                                              newcomer->trained, &record.type));
    return *found ? home_of(n, &record, &out->home, err) : OK;
}

static enum err_code
find_primary(struct model_newcomers *n, struct model_newcomer *newcomer,
             struct model_newcomer_primary *out, struct err *err)
{
    size_t size = strlen(newcomer->name);
    const struct follow_made with_its_value = {.by_step = false};
    uint64_t position;
    bool found = false, sure = false;

    while (!found && model_follow_primary(&n->follow, newcomer->name, &size, &sure))
        TRY(look_primary(n, newcomer, size, sure, out, &found, err));
    newcomer->kept = found;
    if (!found) {
        *out = (struct model_newcomer_primary){.newcomer = NULL};
        return OK;
    }
    /* Those that are there were made before. */
    position = out->newcomer == NULL ? out->position
                                     : UINT64_MAX / 2 + (uint64_t)(out->newcomer - n->each);
    return model_follow_note(&n->follow, newcomer->name, size,
                             model_follow_position(&n->follow, &with_its_value, position),
                             out->newcomer, err);
}

static enum err_code
find_primaries(struct model_newcomers *n, struct err *err)
{
    for (size_t i = 0; i < n->name_count; i++)
        TRY(find_primary(n, n->by_name[i], &n->primaries[i], err));
    return OK;
}

/* Where that one is, and in the same parts where it has its shape. */
static enum err_code
follow(const struct model_newcomers *n, struct model_newcomer *newcomer,
       const struct model_newcomer_home *home, struct err *err)
{
    newcomer->home = home;
    if (home->parts == NULL || shape_equal(&home->parts->shape, &newcomer->type.shape))
        return OK;
    return make_home(n, home->device, home->placed, &newcomer->home, err);
}

/* --- powers -------------------------------------------------------------------------------- */

static bool
may_be_power(const struct model_newcomers *n, const struct model_newcomer *newcomer)
{
    return !newcomer->kept && model_follow_may_be_power(&n->follow, newcomer->name);
}

static enum err_code
find_powers(struct model_newcomers *n, struct err *err)
{
    bool noted = false;

    for (size_t i = 0; i < n->name_count; i++) {
        struct model_newcomer *newcomer = n->by_name[i];
        struct follow_first first;

        if (!may_be_power(n, newcomer))
            continue;
        if (!noted)
            TRY(model_follow_note_all(&n->follow, n->view, n->model->id, err));
        noted = true;
        (void)model_follow_power(&n->follow, newcomer->name, &newcomer->type, newcomer->trained,
                                 &first);
        newcomer->kept = first.name != NULL;
        n->primaries[i].newcomer = first.variable;
        n->primaries[i].beside = first.name;
    }
    return OK;
}

/* On the device of the first part, where there are parts. */
static enum err_code
place_beside(const struct model_newcomers *n, struct model_newcomer *power,
             const struct model_newcomer_primary *primary, struct err *err)
{
    AUTO(partition_devices) devices = {.count = 0};
    struct variable_record record = {.placed = 0};

    if (primary->newcomer != NULL && primary->newcomer->home == NULL)
        return OK;
    if (primary->newcomer != NULL)
        settle_record(primary->newcomer, &record);
    else
        TRY(service_find_variable(n->view, n->model->id, primary->beside, &record, err));
    TRY(partition_devices_of(n->view, primary->beside, &record, &devices, err));
    return make_home(n, devices.count > 0 ? devices.each[0] : record.device, record.placed,
                     &power->home, err);
}

/* --- all of them --------------------------------------------------------------------------- */

static enum err_code
draw(struct model_newcomers *n, struct model_newcomer *newcomer, struct err *err)
{
    const struct variable_form form = {
        .type = newcomer->type, .shape_known = true, .validate_shape = true};
    AUTO(variable_places) places = {.part_count = 0};
    enum err_code code = model_setter_place(&n->setter, &form, &n->own, n->hides, &places, err);

    if (code == OK)
        return make_home(n, places.device, places.placed, &newcomer->home, err);
    err_about(err, "variable", newcomer->name);
    return code;
}

/* Where what it is kept for is, once that is known. */
static enum err_code
place_kept(const struct model_newcomers *n, size_t i, struct err *err)
{
    const struct model_newcomer_primary *primary = &n->primaries[i];
    const struct model_newcomer_home *home =
        primary->newcomer != NULL ? primary->newcomer->home : primary->home;

    if (primary->beside != NULL)
        return place_beside(n, n->by_name[i], primary, err);
    return home == NULL ? OK : follow(n, n->by_name[i], home, err);
}

/* In four rounds: what is kept for nobody, in the order they came in; slots and shadows by name,
 * for what they are kept for has a name that sorts before theirs; powers; and what is left, which
 * is kept for a power, or for nobody after all where two are kept for one another. */
static enum err_code
place_all(struct model_newcomers *n, struct err *err)
{
    for (size_t i = 0; i < n->count; i++)
        if (!n->each[i].kept && find_newcomer(n, bytes_of_text(n->each[i].name)) == &n->each[i])
            TRY(draw(n, &n->each[i], err));
    for (size_t i = 0; i < n->name_count; i++)
        if (n->by_name[i]->home == NULL && n->primaries[i].beside == NULL)
            TRY(place_kept(n, i, err));
    for (size_t i = 0; i < n->name_count; i++)
        if (n->primaries[i].beside != NULL)
            TRY(place_kept(n, i, err));
    for (size_t i = 0; i < n->name_count; i++) {
        if (n->by_name[i]->home == NULL)
            TRY(place_kept(n, i, err));
        if (n->by_name[i]->home == NULL)
            TRY(draw(n, n->by_name[i], err));
    }
    return OK;
}

enum err_code
model_newcomers_place(struct model_newcomers *newcomers, const struct service *service,
                      const struct store_view *view, const struct model_record *model,
                      uint64_t source, struct err *err)
{
    struct model_newcomers *n = newcomers;

    n->service = service;
    n->view = view;
    n->model = model;
    TRY(model_setter_open(&n->setter, service, view, model, err));
    if (n->count == 0)
        return OK;
    TRY(model_follow_open(&n->follow, view, model, n->arena, err));
    if (source != model->id)
        TRY(model_follow_add(&n->follow, view, source, err));
    TRY(sort_names(n, err));
    TRY(find_primaries(n, err));
    TRY(find_powers(n, err));
    return place_all(n, err);
}

enum err_code
model_newcomers_check(const struct model_newcomers *newcomers, struct err *err)
{
    const struct model_newcomers *n = newcomers;

    for (size_t i = 0; i < n->count; i++) {
        struct variable_record record = {.placed = 0};

        if (n->each[i].home == NULL)
            continue;
        settle_record(&n->each[i], &record);
        TRY(variable_check_device(n->service, n->view, n->model, n->each[i].name, &record, err));
    }
    return OK;
}

enum err_code
model_newcomer_settle(const struct model_newcomer *newcomer, struct store_txn *txn,
                      struct variable_record *out, struct err *err)
{
    AUTO(partition_devices) devices = {.count = 0};

    CHECK(newcomer->home != NULL);
    settle_record(newcomer, out);
    TRY(partition_devices_of(store_txn_view(txn), newcomer->name, out, &devices, err));
    out->part_devices = (struct value_ref){.kind = VALUE_NONE};
    return devices.count == 0 ? OK
                              : partition_devices_write(txn, devices.each, devices.count,
                                                        out->device, &out->part_devices, err);
}

enum err_code
model_newcomers_put(const struct model_newcomers *newcomers, struct store_txn *txn, struct err *err)
{
    return newcomers->count == 0 ? OK : model_setter_put(&newcomers->setter, txn, err);
}
