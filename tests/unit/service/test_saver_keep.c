/* Which checkpoints of a saver stay, at times that a test says: after TensorFlow's rules, after a
 * second and plainer writing of them, and as verification has it. */
#include "service/saving/saver_keep.h"
#include "tests/unit/service/damage.h"

enum { MINUTE = 60 * 1000, NAMES = 9, LISTED_MAX = 16, SAVERS = 3 };

static const struct saver_spec by_default = {.given = 0};

static struct saver_record
put_saver(struct domain *d, const char *name, const struct saver_spec *spec)
{
    struct saver_info info;
    struct saver_record record;
    uint64_t revision;
    bool created = false;

    WORKS(saver_put(d->service, MODEL, name, spec, NULL, &created, &info, &revision, &d->f->err),
          &d->f->err);
    record = info.record;
    saver_info_drop(&info);
    return record;
}

/* With one variable to save. */
static struct saver_record
make_saver(struct domain *d, uint32_t max_to_keep, double hours)
{
    const struct saver_spec spec = {
        .given = SAVER_MAX_TO_KEEP | SAVER_KEEP_EVERY_HOURS,
        .settings = {.max_to_keep = max_to_keep, .keep_every_hours = hours},
    };

    declare(d, "v", DTYPE_FLOAT32, scalar());
    return put_saver(d, "s", &spec);
}

/* A checkpoint of nothing, saved through a saver at some time. */
struct moment {
    const char *saver, *checkpoint;
    uint64_t now_ms;
    bool pinned;
    struct saver_dropped dropped; /* out */
};

static enum err_code
moment_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct moment *m = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change usage = {0};
    struct checkpoint_record checkpoint;
    struct saver_record saver;
    struct model_record model;

    TRY(service_find_model(view, MODEL, &model, err));
    TRY(checkpoint_begin(txn, model.id, m->checkpoint, true, &checkpoint, &usage, err));
    TRY(saver_find(view, model.id, m->saver, &saver, err));
    snprintf(checkpoint.saver, sizeof checkpoint.saver, "%s", m->saver);
    checkpoint.saver_id = saver.id;
    checkpoint.pinned = m->pinned;
    TRY(checkpoint_finish(txn, model.id, m->checkpoint, &checkpoint, &usage, err));
    return saver_keep_saved(txn, model.id, m->saver, &saver, m->checkpoint, checkpoint.id,
                            m->now_ms, &m->dropped, err);
}

static struct saver_dropped
saved_at(struct domain *d, const char *saver, const char *checkpoint, uint64_t now_ms)
{
    struct moment moment = {.saver = saver, .checkpoint = checkpoint, .now_ms = now_ms};
    uint64_t revision;

    WORKS(store_update(d->f->store, moment_unit, &moment, NULL, &revision, &d->f->err), &d->f->err);
    return moment.dropped;
}

static bool
exists(struct domain *d, const char *checkpoint)
{
    struct store_snapshot *snapshot = NULL;
    struct checkpoint_record record;
    struct model_record model;
    bool found = false;

    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(service_find_model(store_snapshot_view(snapshot), MODEL, &model, &d->f->err), &d->f->err);
    WORKS(record_get_checkpoint(store_snapshot_view(snapshot), model.id, checkpoint, &found,
                                &record, &d->f->err),
          &d->f->err);
    store_snapshot_drop(snapshot);
    return found;
}

static struct saver_info
look(struct domain *d, const char *saver)
{
    struct saver_info info;

    WORKS(saver_get(d->service, MODEL, saver, &info, &d->f->err), &d->f->err);
    return info;
}

/* `names`: of its list, oldest first, each followed by a space. */
static void
list_must_be(struct domain *d, const char *saver, const char *names)
{
    struct saver_info info = look(d, saver);
    struct reader in = reader_of(buf_bytes(&info.last));
    char text[512] = "";
    size_t used = 0;

    while (in.left.size > 0) {
        struct bytes name = reader_bytes(&in);

        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s ", (int)name.size,
                                 (const char *)name.data);
    }
    assert_string_equal(text, names);
    saver_info_drop(&info);
}

/* --- TensorFlow's rules -------------------------------------------------------------------- */

static void
one_is_kept_for_every_hour(void **state)
{
    /* When each is saved, in minutes after the building, and what becomes of the one before. */
    static const struct {
        const char *name;
        uint64_t minutes;
        bool removed;
    } saves[] = {
        {"a", 10, false},  {"b", 50, true},   {"c", 70, true},   {"d", 80, false},
        {"e", 90, true},   {"f", 125, true},  {"g", 130, false}, {"h", 500, true},
        {"i", 501, false}, {"j", 502, false}, {"k", 503, false}, {"l", 504, false},
    };
    struct domain *d = *state;
    struct saver_record saver = make_saver(d, 1, 1.0);
    uint64_t built_ms = saver.next_keep_ms - 60 * MINUTE;

    assert_true(saver.created_ms == built_ms);
    for (size_t i = 0; i < sizeof saves / sizeof saves[0]; i++) {
        struct saver_dropped dropped =
            saved_at(d, "s", saves[i].name, built_ms + saves[i].minutes * MINUTE);

        assert_string_equal(dropped.name, i == 0 ? "" : saves[i - 1].name);
        assert_int_equal(dropped.removed, saves[i].removed);
        if (i > 0)
            assert_int_equal(exists(d, saves[i - 1].name), !saves[i].removed);
    }
    list_must_be(d, "s", "l ");
}

static void
at_the_very_time_it_goes(void **state)
{
    struct domain *d = *state;
    struct saver_record saver = make_saver(d, 1, 1.0);

    (void)saved_at(d, "s", "a", saver.next_keep_ms);
    assert_true(saved_at(d, "s", "b", saver.next_keep_ms + 1).removed);
    assert_false(saved_at(d, "s", "c", saver.next_keep_ms + 2).removed);
}

static void
hours_have_no_end(void **state)
{
    struct domain *d = *state;
    struct saver_spec spec = {.given = SAVER_MAX_TO_KEEP | SAVER_KEEP_EVERY_HOURS,
                              .settings = {.max_to_keep = 1, .keep_every_hours = 1e300}};

    assert_true(make_saver(d, 1, 1e300).next_keep_ms == INT64_MAX);
    (void)saved_at(d, "s", "a", INT64_MAX);
    assert_true(saved_at(d, "s", "b", INT64_MAX).removed);
    spec.settings.keep_every_hours = 0;
    assert_true(put_saver(d, "s", &spec).next_keep_ms < INT64_MAX);
    assert_false(saved_at(d, "s", "c", INT64_MAX).removed);
    (void)put_saver(d, "s", &by_default);
    assert_string_equal(saved_at(d, "s", "d", INT64_MAX).name, "");
}

static void
a_name_that_is_saved_again_is_the_newest(void **state)
{
    struct domain *d = *state;
    uint64_t now = make_saver(d, 2, 10000).created_ms;

    (void)saved_at(d, "s", "a", now);
    (void)saved_at(d, "s", "b", now);
    assert_string_equal(saved_at(d, "s", "a", now).name, "");
    list_must_be(d, "s", "b a ");
    assert_string_equal(saved_at(d, "s", "c", now).name, "b");
    list_must_be(d, "s", "a c ");
    assert_false(exists(d, "b"));
}

/* --- written a second time ----------------------------------------------------------------- */

struct plain_saver {
    char name[8];
    uint32_t max;
    uint64_t hour_ms, next_keep_ms;
    struct {
        uint32_t checkpoint, made;
        uint64_t saved_ms;
    } list[LISTED_MAX];
    size_t count;
};

static uint32_t
some_number(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* By name: which of its makings is there (0: none), whose it is, whether it is pinned. */
struct plain {
    struct plain_saver savers[SAVERS];
    uint32_t there[NAMES], made[NAMES];
    size_t owner[NAMES];
    bool pinned[NAMES];
};

static void
plain_take_out(struct plain_saver *saver, size_t i)
{
    saver->count--;
    memmove(&saver->list[i], &saver->list[i + 1], (saver->count - i) * sizeof saver->list[0]);
}

static void
plain_take_out_name(struct plain_saver *saver, uint32_t checkpoint)
{
    for (size_t i = 0; i < saver->count; i++)
        if (saver->list[i].checkpoint == checkpoint) {
            plain_take_out(saver, i);
            return;
        }
}

static void
plain_remove(struct plain *p, uint32_t checkpoint)
{
    if (p->there[checkpoint] != 0 && p->owner[checkpoint] < SAVERS)
        plain_take_out_name(&p->savers[p->owner[checkpoint]], checkpoint);
    p->there[checkpoint] = 0;
}

static void
plain_save(struct plain *p, size_t number, uint32_t checkpoint, uint64_t now)
{
    struct plain_saver *saver = &p->savers[number];
    uint32_t first;
    bool stays;

    plain_remove(p, checkpoint);
    p->there[checkpoint] = ++p->made[checkpoint];
    p->owner[checkpoint] = number;
    plain_take_out_name(saver, checkpoint);
    saver->list[saver->count].checkpoint = checkpoint;
    saver->list[saver->count].made = p->made[checkpoint];
    saver->list[saver->count++].saved_ms = now;
    if (saver->count <= saver->max)
        return;
    first = saver->list[0].checkpoint;
    stays = p->there[first] != saver->list[0].made || p->pinned[first];
    if (!stays && saver->list[0].saved_ms > saver->next_keep_ms) {
        saver->next_keep_ms += saver->hour_ms;
        stays = true;
    }
    plain_take_out(saver, 0);
    if (!stays)
        plain_remove(p, first);
}

static void
name_of(uint32_t checkpoint, char out[static 8])
{
    snprintf(out, 8, "c%u", (unsigned)checkpoint);
}

static void
pin(struct domain *d, const char *name, bool pinned)
{
    const struct checkpoint_patch_spec spec = {.has_pinned = true, .pinned = pinned};
    struct checkpoint_info info;
    uint64_t revision;

    WORKS(checkpoint_patch(d->service, MODEL, name, &spec, NULL, &info, &revision, &d->f->err),
          &d->f->err);
}

/* Anything that may happen to a checkpoint, in both writings. */
static void
something_happens(struct domain *d, struct plain *p, uint32_t *seed, uint64_t now)
{
    uint32_t what = some_number(seed) % 10, checkpoint = some_number(seed) % NAMES;
    size_t number = some_number(seed) % SAVERS;
    uint64_t revision;
    char name[8];

    name_of(checkpoint, name);
    if (what == 0 && p->there[checkpoint] != 0 && !p->pinned[checkpoint]) {
        WORKS(checkpoint_delete(d->service, MODEL, name, NULL, &revision, &d->f->err), &d->f->err);
        plain_remove(p, checkpoint);
    } else if (what == 1 && p->there[checkpoint] != 0) {
        p->pinned[checkpoint] = !p->pinned[checkpoint];
        pin(d, name, p->pinned[checkpoint]);
    } else if (!(p->there[checkpoint] != 0 && p->pinned[checkpoint])) {
        (void)saved_at(d, p->savers[number].name, name, now);
        p->pinned[checkpoint] = false;
        plain_save(p, number, checkpoint, now);
    }
}

static void
both_must_agree(struct domain *d, const struct plain *p)
{
    char name[8];

    for (uint32_t i = 0; i < NAMES; i++) {
        name_of(i, name);
        assert_int_equal(exists(d, name), p->there[i] != 0);
    }
    for (size_t i = 0; i < SAVERS; i++) {
        const struct plain_saver *saver = &p->savers[i];
        char names[128] = "";
        size_t used = 0;

        for (size_t k = 0; k < saver->count; k++)
            used += (size_t)snprintf(names + used, sizeof names - used, "c%u ",
                                     (unsigned)saver->list[k].checkpoint);
        list_must_be(d, saver->name, names);
    }
}

static void
whatever_happens_both_writings_agree(void **state)
{
    struct domain *d = *state;
    struct plain p = {.made = {0}};
    uint32_t seed = 7;
    uint64_t now = 0;

    declare(d, "v", DTYPE_FLOAT32, scalar());
    for (size_t i = 0; i < SAVERS; i++) {
        struct saver_spec spec = {
            .given = SAVER_MAX_TO_KEEP | SAVER_KEEP_EVERY_HOURS,
            .settings = {.max_to_keep = (uint32_t)i + 1, .keep_every_hours = 1.0}};

        snprintf(p.savers[i].name, sizeof p.savers[i].name, "s%zu", i);
        p.savers[i].max = (uint32_t)i + 1;
        p.savers[i].hour_ms = 60 * MINUTE;
        p.savers[i].next_keep_ms = put_saver(d, p.savers[i].name, &spec).next_keep_ms;
        now = p.savers[i].next_keep_ms - 60 * MINUTE;
    }
    for (int i = 0; i < 400; i++) {
        now += some_number(&seed) % (20 * MINUTE);
        something_happens(d, &p, &seed, now);
        both_must_agree(d, &p);
    }
    assert_int_equal(findings(d), 0);
}

/* --- lists set by hand, and what is damaged ------------------------------------------------ */

static void
patch_last(struct domain *d, const char *saver, const char *const *last, size_t count)
{
    const struct saver_spec spec = {.last = last, .last_count = count};
    struct saver_info info;
    uint64_t revision;

    WORKS(saver_patch(d->service, MODEL, saver, &spec, NULL, &info, &revision, &d->f->err),
          &d->f->err);
    saver_info_drop(&info);
}

/* TensorFlow's lists are of paths: what one saver has removed stays in another's. */
static void
two_lists_may_name_one_checkpoint(void **state)
{
    static const char *const both[] = {"b", "c"};
    const struct saver_spec two = {.given = SAVER_MAX_TO_KEEP, .settings = {.max_to_keep = 2}};
    struct domain *d = *state;
    uint64_t now = make_saver(d, 2, 10000).created_ms;
    struct saver_info info;

    (void)put_saver(d, "t", &two);
    (void)saved_at(d, "s", "b", now);
    (void)saved_at(d, "s", "c", now);
    patch_last(d, "t", both, 2);
    (void)saved_at(d, "s", "b", now);
    assert_string_equal(saved_at(d, "s", "a", now).name, "c");
    list_must_be(d, "s", "b a ");
    list_must_be(d, "t", "b c ");
    info = look(d, "t");
    assert_string_equal(info.latest, ""); /* of what it has listed, nothing is there any more */
    saver_info_drop(&info);
    (void)saved_at(d, "t", "b", now);
    list_must_be(d, "t", "c b ");
    list_must_be(d, "s", "a ");
    assert_string_equal(saved_at(d, "t", "a", now).name, ""); /* c is gone already */
    list_must_be(d, "t", "b a ");
    assert_true(exists(d, "a") && exists(d, "b"));
    assert_int_equal(findings(d), 0);
}

static void
what_another_saver_has_listed_goes_when_it_is_the_same(void **state)
{
    static const char *const one[] = {"a"};
    const struct saver_spec spec = {.given = SAVER_MAX_TO_KEEP, .settings = {.max_to_keep = 1}};
    struct domain *d = *state;
    uint64_t now = make_saver(d, 2, 10000).created_ms;

    (void)put_saver(d, "t", &spec);
    (void)saved_at(d, "s", "a", now);
    patch_last(d, "t", one, 1);
    assert_true(saved_at(d, "t", "b", now).removed);
    list_must_be(d, "s", "");
    assert_int_equal(findings(d), 0);
}

static void
damaged_savers_are_found(void **state)
{
    struct domain *d = *state;
    struct saver_record saver = make_saver(d, 2, 10000);
    struct store_snapshot *snapshot = NULL;
    struct model_record model;
    struct record_key key;

    (void)saved_at(d, "s", "a", saver.created_ms);
    (void)saved_at(d, "s", "b", saver.created_ms);
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(service_find_model(store_snapshot_view(snapshot), MODEL, &model, &d->f->err), &d->f->err);
    store_snapshot_drop(snapshot);
    key = record_key_saver(model.id, "s");
    must_be_found(d, flipped(d, key, 0), "format");
    must_be_found(d, flipped(d, key, 38), "its record says"); /* variables */
    must_be_found(d, gone(d, key), "savers, models and checkpoints have 0");
    must_be_found(d, moved(d, key, record_key_saver(99, "s")), "savers");
    must_be_found(d, gone(d, record_key_saved(saver.id, bytes_of_text("v"))), "has 0 variables");
    must_be_found(d, gone(d, record_key_last(saver.id, 1)), "1 (2 by name)");
    must_be_found(d, gone(d, record_key_listed(saver.id, "b")),
                  "checkpoint 'b' is not at its place");
    must_be_found(d, flipped(d, record_key_listed(saver.id, "b"), 1), "'b' is not at its place");
    must_be_found(d, flipped(d, record_key_last(saver.id, 2), 0), "format");
}

static void
a_damaged_list_removes_nothing(void **state)
{
    struct domain *d = *state;
    struct saver_record saver = make_saver(d, 1, 10000);
    struct moment moment = {.saver = "s", .checkpoint = "b", .now_ms = saver.created_ms};
    struct damage *damage, *before;
    uint64_t revision;

    (void)saved_at(d, "s", "a", saver.created_ms);
    damage = gone(d, record_key_listed(saver.id, "a"));
    before = record_at(d, damage->key);
    apply(d, damage);
    REFUSES(store_update(d->f->store, moment_unit, &moment, NULL, &revision, &d->f->err),
            ERR_DATA_LOSS, "saver 's' is damaged", &d->f->err);
    assert_true(exists(d, "a") && !exists(d, "b"));
    apply(d, before);
    free(before);
    free(damage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(one_is_kept_for_every_hour),
        DOMAIN_TEST(at_the_very_time_it_goes),
        DOMAIN_TEST(hours_have_no_end),
        DOMAIN_TEST(a_name_that_is_saved_again_is_the_newest),
        DOMAIN_TEST(whatever_happens_both_writings_agree),
        DOMAIN_TEST(two_lists_may_name_one_checkpoint),
        DOMAIN_TEST(what_another_saver_has_listed_goes_when_it_is_the_same),
        DOMAIN_TEST(damaged_savers_are_found),
        DOMAIN_TEST(a_damaged_list_removes_nothing),
    };

    return cmocka_run_group_tests_name("saver_keep", tests, NULL, NULL);
}
