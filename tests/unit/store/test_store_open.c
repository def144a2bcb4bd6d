/* Opening, closing, reopening; what is refused, and that refusing touches nothing. */
#include "tests/unit/store/chunk_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <lmdb.h>

static void
a_record_survives_closing_and_opening(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, "odd key", "value"), 1);
    fixture_reopen(f);
    must_hold(f, "odd key", "value");
    assert_int_equal(store_revision(f->store), 1);
    assert_int_equal(put(f, "odd key", NULL), 2);
    must_hold(f, "odd key", NULL);
}

static void
the_identity_stays_and_ids_never_repeat(void **state)
{
    struct fixture *f = *state;
    char identity[32];
    uint64_t before;

    snprintf(identity, sizeof identity, "%s", store_identity(f->store));
    assert_int_equal(strlen(identity), 16);
    before = store_new_id(f->store);
    assert_true(store_new_id(f->store) > before);
    fixture_reopen(f);
    assert_string_equal(store_identity(f->store), identity);
    assert_true(store_new_id(f->store) > before + 1);
    assert_string_equal(store_durability_name(f->store), "commit");
}

static void
a_second_opener_is_refused_until_the_first_closes(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;

    assert_int_equal(store_open(&f->config, &second, &f->err), ERR_UNAVAILABLE);
    assert_non_null(strstr(f->err.text, "in use"));
    err_clear(&f->err);
    assert_null(second);
    store_close(f->store);
    WORKS(store_open(&f->config, &second, &f->err), &f->err);
    f->store = second;
}

static void
a_folder_that_cannot_be_made_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_config config = f->config;
    char path[256];
    struct store *other = NULL;

    config.directory = "";
    FAILS(store_open(&config, &other, &f->err), ERR_UNAVAILABLE, &f->err);
    snprintf(path, sizeof path, "%s/none/deeper", f->folder);
    config.directory = path;
    FAILS(store_open(&config, &other, &f->err), ERR_UNAVAILABLE, &f->err);
    snprintf(path, sizeof path, "%s/meta.mdb", f->folder);
    FAILS(store_open(&config, &other, &f->err), ERR_UNAVAILABLE, &f->err);
}

static void
folder_and_files_are_for_the_owner_alone(void **state)
{
    static const char *const names[] = {"meta.mdb", "rows.mdb", "bulk.mdb", "lock"};
    struct fixture *f = *state;
    struct store_config config = f->config;
    struct store *inner = NULL;
    struct stat status;
    char path[256];

    snprintf(path, sizeof path, "%s/inner", f->folder);
    config.directory = path;
    WORKS(store_open(&config, &inner, &f->err), &f->err);
    store_close(inner);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/inner/%s", f->folder, names[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0077, 0);
    }
}

/* --- damaged folders ----------------------------------------------------------------------- */

static off_t
size_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* Closes, changes the length of a file, and expects to be refused without another change. */
static void
must_refuse_length(struct fixture *f, const char *name, off_t length)
{
    char path[256];
    off_t whole;
    struct store *store = NULL;

    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    whole = size_of(path);
    assert_true(length < whole);
    assert_int_equal(truncate(path, length), 0);
    FAILS(store_open(&f->config, &store, &f->err), ERR_DATA_LOSS, &f->err);
    assert_int_equal(size_of(path), length);
    assert_int_equal(truncate(path, whole), 0);
}

static void
a_truncated_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "key %d", i);
        (void)put(f, key, "some bytes that make the file a little longer than a page or two");
    }
    store_close(f->store);
    f->store = NULL;
    must_refuse_length(f, "meta.mdb", 0);
    must_refuse_length(f, "meta.mdb", 4096);
    must_refuse_length(f, "meta.mdb", 3 * 4096);
    must_refuse_length(f, "rows.mdb", 4096 + 17);
}

/* Pages at the end that were never written, because they were taken and given back at once, are in
 * the free list: such a file is whole. Played by cutting free pages off. */
static void
a_file_short_of_free_pages_alone_is_whole(void **state)
{
    struct fixture *f = *state;
    struct named_chunk chunks[20];
    struct replacement r = {.class = STORE_CLASS_BULK, .place = {1, 0}, .length = 1000};
    char path[256];
    off_t whole;

    for (int round = 0; round < 3; round++) {
        struct store_stage *stage = NULL;

        WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
        stage_chunks(f, stage, STORE_CLASS_BULK, 7, 1000, chunks, 20);
        store_stage_drop(stage);
        (void)stats_when_drained(f);
    }
    for (int i = 0; i < 5; i++)
        replace(f, &r);
    (void)stats_when_drained(f);
    store_close(f->store);
    f->store = NULL;
    snprintf(path, sizeof path, "%s/bulk.mdb", f->folder);
    whole = size_of(path);
    assert_int_equal(truncate(path, whole - 8 * 4096), 0);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    assert_int_equal(size_of(path), whole);
    must_read_all(f, &r.made, 1);
    for (int i = 0; i < 5; i++)
        replace(f, &r);
    must_read_all(f, &r.made, 1);
}

static void
a_missing_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[256], hidden[256];
    struct store *store = NULL;

    (void)put(f, "k", "v");
    store_close(f->store);
    f->store = NULL;
    snprintf(path, sizeof path, "%s/rows.mdb", f->folder);
    snprintf(hidden, sizeof hidden, "%s/hidden", f->folder);
    assert_int_equal(rename(path, hidden), 0);
    FAILS(store_open(&f->config, &store, &f->err), ERR_DATA_LOSS, &f->err);
    assert_int_equal(rename(hidden, path), 0);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    must_hold(f, "k", "v");
}

/* Writes a raw record into the closed meta file. */
static void
raw_put(struct fixture *f, const void *key, size_t key_size, const void *value, size_t value_size)
{
    MDB_val k = {key_size, (void *)(uintptr_t)key}, v = {value_size, (void *)(uintptr_t)value};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char path[256];

    snprintf(path, sizeof path, "%s/meta.mdb", f->folder);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 1 << 24), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void
an_unknown_format_version_is_refused(void **state)
{
    /* format 2, in a valid envelope: version, zeros, CRC-32C over "\0format" and the payload */
    static const uint8_t key[] = {0, 'f', 'o', 'r', 'm', 'a', 't'};
    struct fixture *f = *state;
    uint8_t record[16] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
    struct store *store = NULL;
    uint32_t crc = crc32c(crc32c(0, key, sizeof key), record + 8, 8);

    memcpy(record + 4, &crc, sizeof crc);
    store_close(f->store);
    f->store = NULL;
    raw_put(f, key, sizeof key, record, sizeof record);
    assert_int_equal(store_open(&f->config, &store, &f->err), ERR_DATA_LOSS);
    assert_non_null(strstr(f->err.text, "format version 2"));
    err_clear(&f->err);
}

static void
a_record_with_a_wrong_checksum_is_reported_and_others_are_not(void **state)
{
    static const uint8_t damaged[] = {1, 0, 0, 0, 1, 2, 3, 4, 'x'};
    struct fixture *f = *state;
    struct store_snapshot *snapshot = NULL;
    struct bytes found;

    (void)put(f, "good", "value");
    store_close(f->store);
    f->store = NULL;
    raw_put(f, "bad", 3, damaged, sizeof damaged);
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    assert_int_equal(
        store_get(store_snapshot_view(snapshot), bytes_of_text("bad"), &found, &f->err),
        ERR_DATA_LOSS);
    assert_non_null(strstr(f->err.text, "'bad'"));
    err_clear(&f->err);
    view_must_hold(store_snapshot_view(snapshot), "good", "value");
    store_snapshot_drop(snapshot);
    f->config.verify_at_open = true;
    store_close(f->store);
    f->store = NULL;
    FAILS(store_open(&f->config, &f->store, &f->err), ERR_DATA_LOSS, &f->err);
    assert_null(f->store);
    f->config.verify_at_open = false;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    (void)put(f, "bad", NULL); /* deletes it */
    f->config.verify_at_open = true;
    fixture_reopen(f);
    must_hold(f, "bad", NULL);
    must_hold(f, "good", "value");
}

/* In LMDB's node, wherever pages hold it, 8 bytes are before the key: the low half of the record's
 * size, the high half, flags, and the key's size. */
static void
claim_gigabytes(const char *folder, const char *key)
{
    uint8_t whole[1 << 18], *end = whole, *at = whole;
    char path[512];
    FILE *file;
    size_t found = 0;

    snprintf(path, sizeof path, "%s/meta.mdb", folder);
    file = fopen(path, "r+b");
    assert_non_null(file);
    end += fread(whole, 1, sizeof whole, file);
    for (; (at = memmem(at, (size_t)(end - at), key, strlen(key))) != NULL; at++) {
        at[-5] = 0x70;
        found++;
    }
    assert_true(found > 0);
    rewind(file);
    assert_int_equal(fwrite(whole, 1, (size_t)(end - whole), file), end - whole);
    assert_int_equal(fclose(file), 0);
}

/* Behind the end of the file, where nothing can be read, there is no such record. */
static void
a_record_that_claims_to_be_longer_than_any_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct store_snapshot *snapshot = NULL;
    struct bytes found;

    (void)put(f, "good", "value");
    (void)put(f, "this one will be long", "value");
    store_close(f->store);
    f->store = NULL;
    claim_gigabytes(f->folder, "this one will be long");
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    assert_int_equal(store_get(store_snapshot_view(snapshot),
                               bytes_of_text("this one will be long"), &found, &f->err),
                     ERR_DATA_LOSS);
    assert_non_null(strstr(f->err.text, "is damaged"));
    err_clear(&f->err);
    view_must_hold(store_snapshot_view(snapshot), "good", "value");
    store_snapshot_drop(snapshot);
}

static void
an_impossible_map_size_is_halved_until_it_opens(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    f->config.map_size_bytes = (uint64_t)1 << 60;
    WORKS(store_open(&f->config, &f->store, &f->err), &f->err);
    (void)put(f, "k", "v");
    must_hold(f, "k", "v");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_record_survives_closing_and_opening),
        STORE_TEST(the_identity_stays_and_ids_never_repeat),
        STORE_TEST(a_second_opener_is_refused_until_the_first_closes),
        STORE_TEST(a_folder_that_cannot_be_made_is_refused),
        STORE_TEST(folder_and_files_are_for_the_owner_alone),
        STORE_TEST(a_truncated_file_is_refused),
        STORE_TEST(a_file_short_of_free_pages_alone_is_whole),
        STORE_TEST(a_missing_file_is_refused),
        STORE_TEST(an_unknown_format_version_is_refused),
        STORE_TEST(a_record_with_a_wrong_checksum_is_reported_and_others_are_not),
        STORE_TEST(a_record_that_claims_to_be_longer_than_any_is_damaged),
        STORE_TEST(an_impossible_map_size_is_halved_until_it_opens),
    };

    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
