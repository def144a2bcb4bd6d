#include "store/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/base/alloc.h"
#include "store/key.h"
#include "store/scope.h"
#include "store/verify_state.h"

static void
verify_state_drop(struct verify_state *s)
{
    mem_free(s->values);
    mem_free(s->entries);
    mem_free(s->segment);
    mem_free(s->named.ids);
    mem_free(s->before.ids);
}

/* --- what the parts share ------------------------------------------------------------------- */

void
store_verify_add(struct store_verify_report *report, const char *format, va_list arguments)
{
    report->findings++;
    if (report->text_count < STORE_VERIFY_TEXTS_MAX)
        vsnprintf(report->texts[report->text_count++], STORE_VERIFY_TEXT_BYTES_MAX, format,
                  arguments);
}

void
verify_finding(struct verify_state *s, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    store_verify_add(s->report, format, arguments);
    va_end(arguments);
}

enum err_code
verify_absorb(struct verify_state *s, enum err_code code, struct err *err)
{
    if (code != ERR_DATA_LOSS)
        return code;
    verify_finding(s, "%s", err->text);
    err_clear(err);
    return OK;
}

enum err_code
verify_scan(struct verify_state *s, struct bytes prefix, verify_visit *visit, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;
    enum err_code code;

    TRY(store_cursor_open(s->view, prefix, (struct bytes){NULL, 0}, &cursor, err));
    for (;;) {
        code = store_cursor_next(cursor, &found, &key, &record, err);
        if (code == OK && !found)
            return OK;
        if (code == OK)
            code = visit(s, key, record, err);
        TRY(verify_absorb(s, code, err));
    }
}

struct verify_value *
verify_find_value(struct verify_state *s, uint64_t id)
{
    size_t low = 0, high = s->value_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->values[middle].head.id == id)
            return &s->values[middle];
        if (s->values[middle].head.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- heads and what names them ---------------------------------------------------------------- */

static enum err_code
visit_head(struct verify_state *s, struct bytes key, struct bytes record, struct err *err)
{
    struct value_head head;
    struct verify_value *values;
    uint64_t id;

    if (!store_key_parse_id(key, STORE_KEY_VALUE, &id))
        return err_set(err, ERR_DATA_LOSS, "the head of a value has a key of %zu bytes", key.size);
    TRY(value_head_decode(id, record, &head, err));
    values = mem_grown(s->values, s->value_count, &s->value_capacity, sizeof *values, err);
    if (values == NULL)
        return ERR_NO_MEMORY;
    s->values = values;
    s->values[s->value_count++] = (struct verify_value){.head = head};
    s->report->values++;
    return OK;
}

static enum err_code
visit_data(struct verify_state *s, struct bytes key, struct bytes record, struct err *err)
{
    struct verify_value *value;
    uint64_t id;

    if (!store_key_parse_id(key, STORE_KEY_DATA, &id))
        return err_set(err, ERR_DATA_LOSS, "the bytes of a value have a key of %zu bytes",
                       key.size);
    value = verify_find_value(s, id);
    if (value == NULL || value->head.kind != VALUE_RECORD)
        return err_set(err, ERR_DATA_LOSS, "there are bytes of value %" PRIu64 ", but no head", id);
    if (value->head.layout.size != record.size)
        return err_set(err, ERR_DATA_LOSS,
                       "value %" PRIu64 " has %zu bytes, its head says %" PRIu64, id, record.size,
                       value->head.layout.size);
    value->has_data = true;
    return OK;
}

static void
count_reference(void *ctx, const struct value_ref *ref)
{
    struct verify_state *s = ctx;
    struct verify_value *value;

    if (ref->kind == VALUE_NONE || ref->kind == VALUE_INLINE)
        return;
    s->report->references++;
    value = verify_find_value(s, ref->id);
    if (value == NULL) {
        verify_finding(s, "value %" PRIu64 " is named but does not exist", ref->id);
        return;
    }
    if (value->head.kind != ref->kind || value->head.layout.size != ref->size)
        verify_finding(s,
                       "value %" PRIu64 " has %" PRIu64 " bytes and kind %d, a record that "
                       "names it says %" PRIu64 " and %d",
                       ref->id, value->head.layout.size, (int)value->head.kind, ref->size,
                       (int)ref->kind);
    if (value->named < UINT32_MAX)
        value->named++;
}

static enum err_code
scan_owner(struct verify_state *s, const struct store_verify_owner *owner, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;
    enum err_code code;

    TRY(store_cursor_open(s->view, owner->prefix, (struct bytes){NULL, 0}, &cursor, err));
    for (;;) {
        code = store_cursor_next(cursor, &found, &key, &record, err);
        if (code == OK && !found)
            return OK;
        if (code == OK)
            code = owner->visit(key, record, count_reference, s, err);
        TRY(verify_absorb(s, code, err));
    }
}

static void
compare_values(struct verify_state *s)
{
    for (size_t i = 0; i < s->value_count; i++) {
        const struct verify_value *value = &s->values[i];
        uint32_t members = value->head.kind == VALUE_CHUNKS ? 1 : 0;

        if (value->named != value->head.refs)
            verify_finding(s,
                           "value %" PRIu64 " is named by %" PRIu32 " records, its head says "
                           "%" PRIu32,
                           value->head.id, value->named, value->head.refs);
        if (value->head.kind == VALUE_RECORD && !value->has_data)
            verify_finding(s, "value %" PRIu64 " has no bytes", value->head.id);
        if (value->members != members)
            verify_finding(s,
                           "value %" PRIu64 " is %" PRIu32 " times a member of family %" PRIu64
                           ", not %" PRIu32 " times",
                           value->head.id, value->members, value->head.family, members);
    }
}

static enum err_code
check_snapshot(struct verify_state *s, const struct store_verify_owner *owners, size_t owner_count,
               struct err *err)
{
    struct store_key heads = store_key_kind(STORE_KEY_VALUE), data = store_key_kind(STORE_KEY_DATA);

    TRY(verify_scan(s, store_key_bytes(&heads), visit_head, err));
    TRY(verify_scan(s, store_key_bytes(&data), visit_data, err));
    for (size_t i = 0; i < owner_count; i++)
        TRY(scan_owner(s, &owners[i], err));
    TRY(verify_lists(s, err));
    compare_values(s);
    return OK;
}

enum err_code
store_verify(struct store *store, const struct store_verify_owner *owners, size_t owner_count,
             bool payloads, struct store_verify_report *out, struct err *err)
{
    struct err own = ERR_INIT, *to = err != NULL ? err : &own; /* findings need the text */
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(verify_state) s = {.store = store, .report = out, .payloads = payloads};

    *out = (struct store_verify_report){0};
    s.segment = mem_alloc(sizeof *s.segment, to);
    if (s.segment == NULL)
        return ERR_NO_MEMORY;
    TRY(verify_chunks_before(&s, to));
    TRY(store_snapshot_open(store, &snapshot, to));
    s.view = store_snapshot_view(snapshot);
    TRY(check_snapshot(&s, owners, owner_count, to));
    return verify_chunks_after(&s, to);
}
