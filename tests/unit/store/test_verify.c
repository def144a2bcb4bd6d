/* What verify finds when something is wrong, one thing at a time, and that it says which. */
#include <fcntl.h>

#include "store/value_list.h"
#include "tests/unit/store/value_fixture.h"

enum { BYTES = 262080 + 20000 }; /* one bulk chunk, two rows chunks */

/* --- doing damage --------------------------------------------------------------------------------
 */

struct raw_call {
    struct store_key key;
    struct bytes record; /* data NULL: delete */
};

static enum err_code
raw_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct raw_call *call = context;

    if (call->record.data == NULL)
        return store_delete(txn, store_key_bytes(&call->key), err);
    return store_put(txn, store_key_bytes(&call->key), call->record, err);
}

static void
raw_put(struct fixture *f, struct store_key key, struct bytes record)
{
    struct raw_call call = {key, record};
    uint64_t revision;

    WORKS(store_update(f->store, raw_unit, &call, NULL, &revision, &f->err), &f->err);
}

static void
raw_delete(struct fixture *f, struct store_key key)
{
    raw_put(f, key, (struct bytes){NULL, 0});
}

/* Changes `size` bytes of a record: each of them by adding, or (add 0) to zero. */
static void
raw_edit(struct fixture *f, struct store_key key, size_t at, size_t size, uint8_t add)
{
    struct store_snapshot *snapshot = NULL;
    uint8_t copy[STORE_RECORD_BYTES_MAX];
    struct bytes record;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    WORKS(store_get(store_snapshot_view(snapshot), store_key_bytes(&key), &record, &f->err),
          &f->err);
    assert_non_null(record.data);
    assert_true(at + size <= record.size);
    memcpy(copy, record.data, record.size);
    for (size_t i = at; i < at + size; i++)
        copy[i] = (uint8_t)(add == 0 ? 0 : copy[i] + add);
    raw_put(f, key, bytes_of(copy, record.size));
    store_snapshot_drop(snapshot);
}

static void
raw_change(struct fixture *f, struct store_key key, size_t at, uint8_t add)
{
    raw_edit(f, key, at, 1, add);
}

/* One finding at least, one of them with these words; nothing is changed by looking. */
static void
must_find(struct fixture *f, const char *words)
{
    struct store_verify_report report = verify_all(f);

    assert_int_not_equal(report.findings, 0);
    for (uint32_t i = 0; i < report.text_count; i++)
        if (strstr(report.texts[i], words) != NULL)
            return;
    for (uint32_t i = 0; i < report.text_count; i++)
        print_error("verify: %s\n", report.texts[i]);
    fail_msg("'%s' was not found", words);
}

static struct value_ref
build_chunks(struct fixture *f, uint8_t name)
{
    uint8_t *bytes = make_bytes(BYTES, name);
    struct value_ref ref = build(f, name, bytes_of(bytes, BYTES), STORE_CLASS_BULK, BYTES);

    free(bytes);
    return ref;
}

static struct value_ref
build_record(struct fixture *f, uint8_t name)
{
    uint8_t *bytes = make_bytes(5000, name);
    struct value_ref ref = build(f, name, bytes_of(bytes, 5000), STORE_CLASS_BULK, 5000);

    free(bytes);
    return ref;
}

/* --- findings ------------------------------------------------------------------------------------
 */

static void
a_sound_store_is_counted(void **state)
{
    struct fixture *f = *state;
    struct store_verify_report report;

    assert_int_equal(verify_must_find_nothing(f).values, 0);
    (void)build_chunks(f, 1);
    (void)build_record(f, 2);
    (void)build(f, 3, bytes_of_text("inline"), STORE_CLASS_BULK, 6);
    copy_owner(f, 1, 4);
    copy_owner(f, 1, 5);
    patch_owner(f, 5, 0, "x", 1);
    report = verify_must_find_nothing(f);
    assert_int_equal(report.values, 3);
    assert_int_equal(report.references, 4);
    assert_int_equal(report.chunks, 4);
    assert_int_equal(report.chunk_bytes, BYTES + 262080);
}

static void
a_reference_too_many_or_too_few_is_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref a = build_chunks(f, 1), b = build_record(f, 2);

    raw_change(f, store_key_value(a.id), 4, 1); /* u32 refs */
    must_find(f, "is named by 1 records, its head says 2");
    raw_change(f, store_key_value(a.id), 4, 255);
    verify_must_find_nothing(f);
    raw_delete(f, owner_key(2));
    must_find(f, "is named by 0 records, its head says 1");
    raw_delete(f, store_key_value(b.id));
    must_find(f, "but no head");
    raw_delete(f, store_key_data(b.id));
    verify_must_find_nothing(f);
}

static void
records_that_name_what_is_not_there_are_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref a = build_record(f, 1);

    raw_delete(f, store_key_data(a.id));
    must_find(f, "has no bytes");
    raw_delete(f, store_key_value(a.id));
    must_find(f, "is named but does not exist");
    raw_put(f, owner_key(1), bytes_of_text("x"));
    must_find(f, "owner 1 is damaged");
}

static void
damaged_heads_are_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref a = build_chunks(f, 1);

    for (size_t at = 0; at < 52; at++) {
        /* not wrong by themselves: a pattern of zeros that no position has, a later fork */
        if (at == 3 || (at > 24 && at < 32))
            continue;
        raw_change(f, store_key_value(a.id), at, 1);
        if (verify_all(f).findings == 0)
            fail_msg("a change of byte %zu of a head was not found", at);
        raw_change(f, store_key_value(a.id), at, 255);
    }
    verify_must_find_nothing(f);
    raw_put(f, store_key_value(a.id), bytes_of_text("short"));
    must_find(f, "is damaged");
}

static void
damaged_lists_are_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref a = build_chunks(f, 1);

    for (size_t at = 0; at < 3 * VALUE_ENTRY_BYTES; at++) {
        raw_change(f, store_key_list(a.id, 0), at, 1);
        assert_int_not_equal(verify_all(f).findings, 0);
        raw_change(f, store_key_list(a.id, 0), at, 255);
    }
    verify_must_find_nothing(f);
    raw_put(f, store_key_list(a.id, 1), bytes_of_text("a segment too many"));
    must_find(f, "there is segment 1");
    raw_delete(f, store_key_list(a.id, 1));
    raw_put(f, store_key_list(a.id, 0), bytes_of_text("short"));
    must_find(f, "does not fit its 3 chunks");
    raw_delete(f, store_key_list(a.id, 0));
    must_find(f, "is missing");
    must_find(f, "no list names chunk");
}

static void
damaged_families_are_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref a = build_chunks(f, 1), b = build_chunks(f, 2);

    raw_put(f, store_key_family(a.id, b.id), bytes_of_text(""));
    must_find(f, "is not of family");
    raw_delete(f, store_key_family(a.id, b.id));
    verify_must_find_nothing(f);
    raw_delete(f, store_key_family(a.id, a.id));
    must_find(f, "0 times a member");
}

static enum err_code
swap_lists(struct store_txn *txn, void *context, struct err *err)
{
    const struct value_ref *refs = context;
    struct value_segment *segment = malloc(sizeof *segment);
    struct value_head head;
    enum err_code code;

    assert_non_null(segment);
    code = value_head_of(store_txn_view(txn), &refs[0], &head, err);
    if (code == OK)
        code = value_segment_read(store_txn_view(txn), &head, 0, segment, err);
    if (code == OK)
        code = value_segment_write(txn, refs[1].id, segment, err);
    free(segment);
    return code;
}

static void
a_list_with_chunks_of_another_value_is_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref refs[2] = {build_chunks(f, 1), build_chunks(f, 2)};
    struct looking looking;
    uint64_t revision;
    uint8_t byte;

    WORKS(store_update(f->store, swap_lists, refs, NULL, &revision, &f->err), &f->err);
    must_find(f, "is misplaced");
    look_at(f, 2, &looking);
    FAILS(value_copy(&looking.reader, 0, 1, &byte, &f->err), ERR_DATA_LOSS, &f->err);
    look_away(&looking);
}

static void
a_chunk_two_lists_claim_alone_is_found(void **state)
{
    struct fixture *f = *state;
    struct value_ref a = build_chunks(f, 1);

    copy_owner(f, 1, 2);
    patch_owner(f, 2, 0, "fork", 4);
    verify_must_find_nothing(f);
    raw_edit(f, store_key_value(a.id), 24, 8, 0); /* u64 forked: as if the list never was */
    must_find(f, "which was made for one of them");
}

static enum err_code
make_unnamed_chunk(struct store_txn *txn, void *context, struct err *err)
{
    struct store_chunk_place place = {.family = 99, .index = 0};
    struct store_chunk chunk = {0};

    TRY(store_txn_chunk(txn, STORE_CLASS_ROWS, place, 10, &chunk, err));
    memset(chunk.bytes, 1, 10);
    store_chunk_seal(&chunk);
    *(uint64_t *)context = chunk.id;
    return OK;
}

static void
a_chunk_that_nothing_names_is_found(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 0, revision;
    char words[64];

    (void)build_chunks(f, 1);
    WORKS(store_update(f->store, make_unnamed_chunk, &id, NULL, &revision, &f->err), &f->err);
    snprintf(words, sizeof words, "no list names chunk %016llx", (unsigned long long)id);
    must_find(f, words);
}

static void
staged_and_freed_chunks_are_no_finding(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes = make_bytes(3 << 20, 1);
    struct value_builder *builder = NULL;
    struct store_stage *stage = NULL;
    struct looking looking;

    (void)build_chunks(f, 1);
    look_at(f, 1, &looking); /* holds the freed chunks back */
    patch_owner(f, 1, 0, "new", 3);
    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    WORKS(value_builder_open(f->store, stage, 3 << 20, STORE_CLASS_BULK, &builder, &f->err),
          &f->err);
    WORKS(value_builder_append(builder, bytes, 3 << 20, &f->err), &f->err);
    verify_must_find_nothing(f);
    value_builder_drop(builder);
    store_stage_drop(stage);
    verify_must_find_nothing(f);
    look_away(&looking);
    verify_must_find_nothing(f);
    free(bytes);
}

static void
only_the_first_findings_have_texts(void **state)
{
    struct fixture *f = *state;
    struct store_verify_report report;

    for (uint8_t name = 0; name < STORE_VERIFY_TEXTS_MAX + 8; name++)
        raw_put(f, owner_key(name), bytes_of_text("nonsense"));
    report = verify_all(f);
    assert_int_equal(report.findings, STORE_VERIFY_TEXTS_MAX + 8);
    assert_int_equal(report.text_count, STORE_VERIFY_TEXTS_MAX);
}

/* Turns the first place in a file that has these bytes over by a bit. */
static void
flip_bit(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    char path[512];
    FILE *file;
    long length;
    uint8_t *whole, *place;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    length = ftell(file);
    assert_true(length > 0);
    whole = malloc((size_t)length);
    assert_non_null(whole);
    rewind(file);
    assert_int_equal(fread(whole, 1, (size_t)length, file), (size_t)length);
    place = memmem(whole, (size_t)length, bytes, size);
    assert_non_null(place);
    assert_int_equal(fseek(file, (long)(place - whole), SEEK_SET), 0);
    assert_int_equal(fputc(*place ^ 4, file), *place ^ 4);
    assert_int_equal(fclose(file), 0);
    free(whole);
}

static void
a_flipped_bit_in_a_chunk_is_found_when_payloads_are_read(void **state)
{
    struct fixture *f = *state;
    struct store_verify_owner owner = {bytes_of_text("o"), owner_visit};
    struct store_verify_report report;
    struct looking looking;
    uint8_t *bytes = make_bytes(BYTES, 1);

    (void)build_chunks(f, 1);
    store_close(f->store);
    f->store = NULL;
    flip_bit(f->folder, "bulk.mdb", bytes + 100000, 64);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    WORKS(store_verify(f->store, &owner, 1, false, &report, &f->err), &f->err);
    assert_int_equal(report.findings, 0);
    must_find(f, "is damaged: its 262080 bytes");
    look_at(f, 1, &looking);
    FAILS(value_verify(&looking.reader, &f->err), ERR_DATA_LOSS, &f->err);
    look_away(&looking);
    free(bytes);
}

static void
a_flipped_bit_in_a_record_is_found(void **state)
{
    struct fixture *f = *state;
    struct looking looking;
    struct store_snapshot *snapshot = NULL;
    uint8_t *bytes = make_bytes(5000, 1);
    struct value_ref ref = build_record(f, 1);

    store_close(f->store);
    f->store = NULL;
    flip_bit(f->folder, "meta.mdb", bytes + 2500, 64);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    must_find(f, "has no bytes"); /* none that can be trusted */
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    FAILS(value_open(store_snapshot_view(snapshot), &ref, &looking.reader, &f->err), ERR_DATA_LOSS,
          &f->err);
    store_snapshot_drop(snapshot);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_sound_store_is_counted),
        STORE_TEST(a_reference_too_many_or_too_few_is_found),
        STORE_TEST(records_that_name_what_is_not_there_are_found),
        STORE_TEST(damaged_heads_are_found),
        STORE_TEST(damaged_lists_are_found),
        STORE_TEST(damaged_families_are_found),
        STORE_TEST(a_list_with_chunks_of_another_value_is_found),
        STORE_TEST(a_chunk_two_lists_claim_alone_is_found),
        STORE_TEST(a_chunk_that_nothing_names_is_found),
        STORE_TEST(staged_and_freed_chunks_are_no_finding),
        STORE_TEST(only_the_first_findings_have_texts),
        STORE_TEST(a_flipped_bit_in_a_chunk_is_found_when_payloads_are_read),
        STORE_TEST(a_flipped_bit_in_a_record_is_found),
    };

    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
