/* All in memory: who is there, who follows whom, where each goes, and what is different then. */
#include "service/placement/model_place_plan.h"

#include <stdlib.h>

#include "service/placement/partition_devices.h"
#include "service/state.h"
#include "store/base/scope.h"

enum { TEXT_SLOTS = 4096 };

static const char *
keep_text(struct place_plan *p, const char *text, struct err *err)
{
    uint64_t hash = bytes_hash(BYTES_HASH_BEGIN, bytes_of_text(text));
    const char **slot = &p->texts[(hash ^ hash >> 32) % TEXT_SLOTS];

    if (*slot == NULL || strcmp(*slot, text) != 0)
        *slot = arena_text(&p->report->arena, bytes_of_text(text), err);
    return *slot;
}

/* --- who is there -------------------------------------------------------------------------- */

static enum err_code
add_item(struct place_plan *p, struct bytes name, const struct variable_record *record,
         struct err *err)
{
    struct place_item *grown =
        arena_grown(&p->report->arena, p->items, p->count, &p->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    p->items = grown;
    grown += p->count++;
    *grown = (struct place_item){
        .id = record->id,
        .size = name.size,
        .made = model_follow_made(record),
    };
    grown->name = arena_text(&p->report->arena, name, err);
    return grown->name == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
load_items(struct place_plan *p, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_variable(p->record.id, "");
    struct bytes key, value;
    bool found = false;

    TRY(store_cursor_open(p->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct variable_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(value, &record, err));
        TRY(add_item(p, record_key_name(key), &record, err));
    }
}

static int
compare_positions(const void *a, const void *b)
{
    uint64_t first = (*(struct place_item *const *)a)->made.position;
    uint64_t second = (*(struct place_item *const *)b)->made.position;

    return first < second ? -1 : first > second;
}

static enum err_code
order_items(struct place_plan *p, struct err *err)
{
    p->in_order = arena_array(&p->report->arena, p->count + 1, sizeof(struct place_item *), err);
    if (p->in_order == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < p->count; i++)
        p->in_order[i] = &p->items[i];
    if (p->count > 0)
        qsort(p->in_order, p->count, sizeof(struct place_item *), compare_positions);
    return OK;
}

static int
compare_name(const void *name, const void *item)
{
    return bytes_compare(*(const struct bytes *)name,
                         bytes_of_text(((const struct place_item *)item)->name));
}

static struct place_item *
find_item(const struct place_plan *p, struct bytes name)
{
    return bsearch(&name, p->items, p->count, sizeof *p->items, compare_name);
}

/* --- who follows whom ---------------------------------------------------------------------- */

static enum err_code
find_primary(struct place_plan *p, struct place_item *item, struct err *err)
{
    size_t size = item->size;
    bool sure = false;

    while (item->primary == NULL && model_follow_primary(&p->follow, item->name, &size, &sure)) {
        struct place_item *primary = find_item(p, bytes_of(item->name, size));
        bool fits = primary != NULL;

        if (fits && !sure)
            TRY(model_follow_check(p->view, p->record.id, item->name, size, &fits, err));
        item->primary = fits ? primary : NULL;
    }
    return item->primary == NULL
               ? OK
               : model_follow_note(
                     &p->follow, item->name, size,
                     model_follow_position(&p->follow, &item->made, item->primary->made.position),
                     item->primary, err);
}

/* Powers once all slots are known. */
static enum err_code
find_primaries(struct place_plan *p, struct err *err)
{
    for (size_t i = 0; i < p->count; i++)
        TRY(find_primary(p, &p->items[i], err));
    for (size_t i = 0; i < p->count; i++) {
        struct place_item *item = &p->items[i];
        struct variable_record record;
        struct follow_first first;

        if (item->primary != NULL || !model_follow_may_be_power(&p->follow, item->name))
            continue;
        TRY(service_find_variable(p->view, p->record.id, item->name, &record, err));
        item->beside =
            model_follow_power(&p->follow, item->name, &record.type, record.trainable, &first);
        item->primary = first.variable;
    }
    return OK;
}

/* --- where they go ------------------------------------------------------------------------- */

static enum err_code
keep_parts(struct place_plan *p, struct place_item *item, const struct variable_places *places,
           struct err *err)
{
    const char **parts;

    if (places->part_count == 0)
        return OK;
    parts = arena_array(&p->report->arena, places->part_count, sizeof *parts, err);
    if (parts == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < places->part_count; i++) {
        parts[i] = keep_text(p, places->parts[i], err);
        if (parts[i] == NULL)
            return ERR_NO_MEMORY;
    }
    item->parts = parts;
    item->part_count = places->part_count;
    return OK;
}

static enum err_code
keep_old_parts(struct place_plan *p, struct place_item *item, const struct variable_record *record,
               struct err *err)
{
    AUTO(partition_devices) old = {.count = 0};
    struct variable_places places = {.part_count = 0};

    TRY(partition_devices_of(p->view, item->name, record, &old, err));
    places.part_count = old.count;
    places.parts = old.each;
    item->device = keep_text(p, record->device, err);
    item->placed = record->placed;
    return item->device == NULL ? ERR_NO_MEMORY : keep_parts(p, item, &places, err);
}

static enum err_code
place_item(struct place_plan *p, struct place_item *item, struct err *err)
{
    AUTO(variable_places) places = {.part_count = 0};
    struct variable_record record;
    struct variable_form form;
    struct device_spec own;

    TRY(service_find_variable(p->view, p->record.id, item->name, &record, err));
    if ((record.placed & RECORD_PLACED_NEVER) ||
        model_setter_own(record.device, record.placed, &own, NULL) != OK)
        return keep_old_parts(p, item, &record, err);
    form = record_variable_form(&record);
    TRY(model_setter_place(&p->setter, &form, &own, false, &places, err));
    item->device = keep_text(p, places.device, err);
    item->placed = places.placed;
    return item->device == NULL ? ERR_NO_MEMORY : keep_parts(p, item, &places, err);
}

/* A slot of a partitioned variable is in the same parts, where it has its shape. */
static enum err_code
follow_item(struct place_plan *p, struct place_item *item, struct err *err)
{
    const struct place_item *primary = item->primary;
    struct variable_record record;

    TRY(service_find_variable(p->view, p->record.id, item->name, &record, err));
    item->device = item->beside && primary->parts != NULL ? primary->parts[0] : primary->device;
    item->placed = primary->placed;
    if (item->beside || record.partition.count != primary->part_count)
        return OK;
    item->parts = primary->parts;
    item->part_count = primary->part_count;
    return OK;
}

static enum err_code
settle_place(struct place_plan *p, struct place_item *item, struct err *err)
{
    bool follows = item->primary != NULL && item->primary->device != NULL;
    enum err_code code;

    TRY(service_check_interrupt(p->service, err));
    code = follows ? follow_item(p, item, err) : place_item(p, item, err);
    if (code != OK)
        err_about(err, "variable", item->name);
    return code;
}

/* In four rounds: what follows nobody; slots and shadows by name, for whom they follow has a name
 * that sorts before theirs; powers; and what is left, which follows a power, or nobody after all
 * where two follow one another. */
static enum err_code
place_items(struct place_plan *p, struct err *err)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->in_order[i]->primary == NULL)
            TRY(settle_place(p, p->in_order[i], err));
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].primary != NULL && p->items[i].primary->device != NULL &&
            !p->items[i].beside)
            TRY(settle_place(p, &p->items[i], err));
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].device == NULL && p->items[i].beside)
            TRY(settle_place(p, &p->items[i], err));
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].device == NULL)
            TRY(settle_place(p, &p->items[i], err));
    return OK;
}

/* --- what is different --------------------------------------------------------------------- */

static const char *
part_of(const struct place_item *item, uint32_t index)
{
    return item->parts != NULL ? item->parts[index] : item->device;
}

static enum err_code
tell_move(struct place_plan *p, const struct place_item *item, const struct variable_record *record,
          uint32_t parts_moved, struct err *err)
{
    struct model_place_report *report = p->report;
    struct model_move *grown, move = {.name = item->name, .to = item->device};

    report->moved++;
    p->shown_bytes += strlen(item->name) + strlen(item->device) + strlen(record->device) + 64;
    if (p->shown_bytes > MODEL_PLACE_SHOWN_BYTES_MAX)
        return OK;
    move.from = keep_text(p, record->device, err);
    move.parts_moved = parts_moved;
    grown = arena_grown(&report->arena, report->moves, report->move_count, &report->move_capacity,
                        sizeof *grown, err);
    if (move.from == NULL || grown == NULL)
        return ERR_NO_MEMORY;
    report->moves = grown;
    grown[report->move_count++] = move;
    return OK;
}

/* Told, but for what only the model gives or gives no more: that is nothing that anybody sees. */
static enum err_code
compare_item(struct place_plan *p, struct place_item *item, struct err *err)
{
    AUTO(partition_devices) old = {.count = 0};
    struct variable_record record;
    uint32_t parts_moved = 0;
    bool moved;

    TRY(service_check_interrupt(p->service, err));
    TRY(service_find_variable(p->view, p->record.id, item->name, &record, err));
    TRY(partition_devices_of(p->view, item->name, &record, &old, err));
    for (uint32_t i = 0; i < record.partition.count; i++)
        parts_moved += strcmp(partition_devices_at(&old, &record, i), part_of(item, i)) != 0;
    moved = parts_moved > 0 || strcmp(record.device, item->device) != 0;
    item->changes = moved || record.placed != item->placed;
    return moved ? tell_move(p, item, &record, parts_moved, err) : OK;
}

/* --- all of it ----------------------------------------------------------------------------- */

static enum err_code
begin(struct place_plan *p, struct err *err)
{
    struct model_place_report *report = p->report;

    model_place_report_drop(report);
    arena_init(&report->arena, p->service->limits.expression_bytes_max);
    p->items = NULL;
    p->count = p->capacity = p->shown_bytes = 0;
    p->texts = arena_array(&report->arena, TEXT_SLOTS, sizeof *p->texts, err);
    return p->texts == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
make(struct place_plan *p, const struct store_view *view, struct err *err)
{
    static const struct device_setter_state nothing;
    struct model_place_report *report = p->report;

    TRY(begin(p, err));
    p->view = view;
    TRY(service_find_model(view, p->model, &p->record, err));
    TRY(model_setter_open(&p->setter, p->service, view, &p->record, err));
    model_setter_begin(&p->setter, &nothing);
    TRY(model_follow_open(&p->follow, view, &p->record, &report->arena, err));
    TRY(load_items(p, err));
    TRY(order_items(p, err));
    TRY(find_primaries(p, err));
    TRY(place_items(p, err));
    for (size_t i = 0; i < p->count; i++)
        TRY(compare_item(p, p->in_order[i], err));
    report->variables = p->count;
    report->devices = p->record.devices;
    report->drawn = (struct model_drawn){.tasks = p->setter.tasks, .state = p->setter.state};
    return OK;
}

enum err_code
model_place_plan_make(struct place_plan *plan, const struct store_view *view, struct err *err)
{
    enum err_code code = make(plan, view, err);

    if (code != OK && err != NULL && err->code == ERR_PAYLOAD_TOO_LARGE)
        err_prefix(err, "placing all of model '%s' anew (expression_max_bytes)", plan->model);
    return code;
}
