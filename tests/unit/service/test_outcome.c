/* Outcomes of writes, kept under idempotency keys: with the effect or not at all, found again until
 * they expire, counted and bounded; and keys in use. */
#include <time.h>

#include "service/run/outcome.h"
#include "tests/unit/service/service_fixture.h"

/* A request: patches the model, and is told `size` bytes, the revision in front. */
struct asking {
    struct write_outcome outcome;
    uint8_t mark; /* of its fingerprint */
    size_t size;
    unsigned seals, renders;
    enum err_code seal_code, render_code;
};

static enum err_code
seal(void *context, uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES], struct err *err)
{
    struct asking *asking = context;

    asking->seals++;
    memset(fingerprint, asking->mark, OUTCOME_FINGERPRINT_BYTES);
    return asking->seal_code == OK ? OK : err_set(err, asking->seal_code, "not sealed");
}

static enum err_code
render(void *context, uint64_t revision, struct buf *reply, struct err *err)
{
    struct asking *asking = context;

    asking->renders++;
    if (asking->render_code != OK)
        return err_set(err, asking->render_code, "not rendered");
    TRY(buf_append_u64(reply, revision, err));
    while (reply->size < asking->size)
        TRY(buf_append_byte(reply, (uint8_t)reply->size, err));
    return OK;
}

static struct asking
asking_with(const char *key)
{
    return (struct asking){
        .outcome = {.key = bytes_of_text(key), .seal = seal, .render = render},
        .mark = (uint8_t)key[0],
        .size = 40,
    };
}

/* The label is the effect. */
static enum err_code
try_label(struct domain *d, struct asking *asking, const char *label)
{
    const struct record_label labels[] = {{"label", label}};
    struct model_spec spec = {.has_labels = true, .labels = labels, .label_count = 1};
    struct write_options options = {.outcome = &asking->outcome};
    struct model_info info;
    uint64_t revision = 0;

    asking->outcome.context = asking;
    TRY(model_patch(d->service, MODEL, &spec, &options, &info, &revision, &d->f->err));
    assert_true(revision == service_revision(d->service));
    return OK;
}

static void
label(struct domain *d, const char *key, const char *text)
{
    struct asking asking = asking_with(key);

    WORKS(try_label(d, &asking, text), &d->f->err);
    assert_true(asking.outcome.kept);
}

static void
label_must_be(struct domain *d, const char *text)
{
    struct model_info info = usage_of_model(d);

    assert_int_equal(info.label_count, 1);
    assert_string_equal(info.labels_text + sizeof "label", text); /* behind its name */
}

/* The bytes of the reply kept under the key; 0 when there is none. */
static size_t
kept_under(struct domain *d, const char *key, uint64_t revision)
{
    uint8_t fingerprint[OUTCOME_FINGERPRINT_BYTES] = {0};
    bool found = false;
    size_t size;
    struct reader in;
    struct buf reply;

    buf_init(&reply, 1 << 21);
    WORKS(outcome_find(d->service, bytes_of_text(key), &found, fingerprint, &reply, &d->f->err),
          &d->f->err);
    size = found ? reply.size : 0;
    if (found) {
        in = reader_of(buf_bytes(&reply));
        assert_int_equal(fingerprint[0], key[0]);
        assert_int_equal(fingerprint[OUTCOME_FINGERPRINT_BYTES - 1], key[0]);
        assert_true(reader_u64(&in) == revision);
        for (size_t i = 8; i < size; i++)
            assert_int_equal(reply.data[i], (uint8_t)i);
    }
    buf_drop(&reply);
    return size;
}

static void
must_not_be_kept(struct domain *d, const char *key)
{
    assert_int_equal(kept_under(d, key, 0), 0);
}

static void
pass_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

/* --- kept or not --------------------------------------------------------------------------- */

static void
an_outcome_is_there_with_its_effect(void **state)
{
    struct domain *d = *state;
    struct asking asking = asking_with("a");
    uint64_t revision;

    must_not_be_kept(d, "a");
    WORKS(try_label(d, &asking, "one"), &d->f->err);
    assert_true(asking.outcome.kept && asking.seals == 1 && asking.renders == 1);
    revision = service_revision(d->service);
    for (int i = 0; i < 2; i++) {
        label_must_be(d, "one");
        assert_int_equal(kept_under(d, "a", revision), 40);
        must_not_be_kept(d, "A");
        must_not_be_kept(d, "aa");
        assert_true(service_revision(d->service) == revision);
        domain_reopen(d);
    }
}

static void
what_changes_nothing_is_kept_with_a_revision_of_its_own(void **state)
{
    struct domain *d = *state;
    struct asking asking = asking_with("confirm");
    struct write_options options = {.outcome = &asking.outcome};
    struct model_spec spec = {0};
    struct model_info info;
    uint64_t before = service_revision(d->service), revision = 0;
    bool created = true;

    asking.outcome.context = &asking;
    WORKS(model_create(d->service, MODEL, &spec, &options, &created, &info, &revision, &d->f->err),
          &d->f->err);
    assert_false(created);
    assert_true(revision == before + 1);
    assert_int_equal(kept_under(d, "confirm", before + 1), 40);
}

static void
a_request_that_fails_leaves_nothing(void **state)
{
    struct domain *d = *state;
    struct asking refused = asking_with("refused"), unsealed = asking_with("unsealed"),
                  unrendered = asking_with("unrendered");
    struct write_options options = {.outcome = &refused.outcome};
    uint64_t before, revision = 0;

    label(d, "first", "before");
    before = service_revision(d->service);
    refused.outcome.context = &refused;
    FAILS(variable_delete(d->service, MODEL, "absent", &options, &revision, &d->f->err),
          ERR_NOT_FOUND, &d->f->err);
    assert_true(refused.seals == 1 && refused.renders == 0 && !refused.outcome.kept);
    unsealed.seal_code = ERR_INVALID_ARGUMENT;
    REFUSES(try_label(d, &unsealed, "x"), ERR_INVALID_ARGUMENT, "not sealed", &d->f->err);
    assert_true(unsealed.renders == 0 && !unsealed.outcome.kept);
    unrendered.render_code = ERR_NO_MEMORY;
    REFUSES(try_label(d, &unrendered, "x"), ERR_NO_MEMORY, "not rendered", &d->f->err);
    assert_true(unrendered.renders == 1 && !unrendered.outcome.kept);
    label_must_be(d, "before");
    assert_true(service_revision(d->service) == before);
    must_not_be_kept(d, "refused");
    must_not_be_kept(d, "unsealed");
    must_not_be_kept(d, "unrendered");
}

/* Inline, in one record, in chunks; what is over the limit is refused with its effect. */
static void
replies_of_every_size_are_kept_and_their_bytes_given_back(void **state)
{
    static const size_t sizes[] = {8, 1024, 1025, 16256, 16257, 100000, 262144};
    struct domain *d = *state;
    uint64_t revisions[sizeof sizes / sizeof *sizes];
    struct asking over = asking_with("over");
    char key[] = "a";

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, key[0]++) {
        struct asking asking = asking_with(key);

        asking.size = sizes[i];
        WORKS(try_label(d, &asking, "kept"), &d->f->err);
        revisions[i] = service_revision(d->service);
    }
    over.size = 262145;
    REFUSES(try_label(d, &over, "over"), ERR_PAYLOAD_TOO_LARGE, "idempotency_reply_max_bytes",
            &d->f->err);
    REFUSES(try_label(d, &over, "over"), ERR_PAYLOAD_TOO_LARGE, "262145 bytes, at most 262144",
            &d->f->err);
    label_must_be(d, "kept");
    key[0] = 'a';
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, key[0]++)
        assert_int_equal(kept_under(d, key, revisions[i]), sizes[i]);
    assert_in_range(chunks(d), 3, 60);
    d->limits.idempotency_keep_ms = 1;
    domain_restart(d);
    pass_ms(5);
    label(d, "x", "x");
    label(d, "y", "y");
    assert_int_equal(chunks(d), 0);
}

/* --- expiry -------------------------------------------------------------------------------- */

static void
the_oldest_go_a_few_at_a_time_when_they_have_expired(void **state)
{
    struct domain *d = *state;
    uint64_t before = records(d);
    char key[] = "a";

    for (int i = 0; i < 10; i++, key[0]++)
        label(d, key, "old");
    assert_int_equal(records(d), before + 2 * 10 + 1);
    d->limits.idempotency_keep_ms = 20;
    domain_restart(d);
    pass_ms(25);
    must_not_be_kept(d, "a"); /* although it is there */
    assert_int_equal(records(d), before + 2 * 10 + 1);
    label(d, "X", "new");
    assert_int_equal(records(d), before + 2 * (10 - 4 + 1) + 1);
    label(d, "Y", "new");
    label(d, "Z", "new");
    assert_in_range(records(d), before + 2 * 1 + 1, before + 2 * 3 + 1);
    d->limits.idempotency_keep_ms = 3600000;
    domain_restart(d);
    assert_int_equal(kept_under(d, "Z", service_revision(d->service)), 40);
}

static void
an_expired_key_may_be_used_again(void **state)
{
    struct domain *d = *state;
    struct asking again = asking_with("old");

    label(d, "old", "one");
    label(d, "other", "two");
    d->limits.idempotency_keep_ms = 10;
    domain_restart(d);
    pass_ms(15);
    label(d, "old", "three");
    d->limits.idempotency_keep_ms = 3600000;
    domain_restart(d);
    assert_int_equal(kept_under(d, "old", service_revision(d->service)), 40);
    /* Whoever did not look, as if the clock had gone back since, does nothing a second time. */
    REFUSES(try_label(d, &again, "four"), ERR_ABORTED, "try again", &d->f->err);
    label_must_be(d, "three");
}

/* --- how many ------------------------------------------------------------------------------ */

static enum err_code
find_room(struct domain *d)
{
    uint8_t fingerprint[OUTCOME_FINGERPRINT_BYTES];
    bool found = true;
    struct buf reply;
    enum err_code code;

    buf_init(&reply, 1 << 20);
    code = outcome_find(d->service, bytes_of_text("new"), &found, fingerprint, &reply, &d->f->err);
    assert_false(found);
    buf_drop(&reply);
    return code;
}

static void
no_more_are_kept_than_there_is_room_for(void **state)
{
    struct domain *d = *state;
    struct asking one = asking_with("one");
    uint64_t revision;

    d->limits.idempotency_keys_max = 3;
    domain_restart(d);
    label(d, "a", "a");
    revision = service_revision(d->service);
    label(d, "b", "b");
    WORKS(find_room(d), &d->f->err);
    label(d, "c", "c");
    REFUSES(find_room(d), ERR_BUSY, "at most 3 are (idempotency_keys_max)", &d->f->err);
    REFUSES(try_label(d, &one, "one"), ERR_BUSY, "idempotency_keys_max", &d->f->err);
    assert_int_equal(kept_under(d, "a", revision), 40); /* what is there is told as ever */
    label_must_be(d, "c");
}

/* Far over a limit that was lowered, no single unit gets below it. */
static void
expired_ones_make_room_however_many_they_are(void **state)
{
    struct domain *d = *state;
    char key[24];

    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        label(d, key, "many");
    }
    d->limits.idempotency_keys_max = 2;
    d->limits.idempotency_keep_ms = 50;
    domain_restart(d);
    pass_ms(60);
    WORKS(find_room(d), &d->f->err);
    label(d, "new", "new");
    label_must_be(d, "new");
    assert_int_equal(findings(d), 0);
}

/* --- keys ---------------------------------------------------------------------------------- */

static void
a_key_is_in_one_use_at_a_time(void **state)
{
    enum { COUNT = 300 };
    static struct outcome_use uses[COUNT];
    static char keys[COUNT][16];
    struct domain *d = *state;
    struct outcome_use second = {.begun = false}, never = {.begun = false};

    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        WORKS(outcome_begin(d->service, bytes_of_text(keys[i]), &uses[i], &d->f->err), &d->f->err);
    }
    for (int i = 0; i < COUNT; i += 7)
        REFUSES(outcome_begin(d->service, bytes_of_text(keys[i]), &second, &d->f->err), ERR_ABORTED,
                keys[i], &d->f->err);
    assert_false(second.begun);
    outcome_end(d->service, &second); /* nothing */
    outcome_end(d->service, &never);
    for (int i = COUNT - 1; i >= 0; i -= 2)
        outcome_end(d->service, &uses[i]);
    for (int i = 0; i < COUNT; i++) {
        enum err_code code = outcome_begin(d->service, bytes_of_text(keys[i]), &second, &d->f->err);

        assert_int_equal(code, i % 2 == 1 ? OK : ERR_ABORTED);
        err_clear(&d->f->err);
        outcome_end(d->service, &second);
    }
    for (int i = 0; i < COUNT; i++)
        outcome_end(d->service, &uses[i]); /* some for the second time */
}

static void
keys_are_visible_ascii(void **state)
{
    struct domain *d = *state;
    struct outcome_use use = {.begun = false};
    char longest[OUTCOME_KEY_BYTES_MAX + 2];

    memset(longest, 'k', sizeof longest);
    REFUSES(outcome_begin(d->service, bytes_of("", 0), &use, &d->f->err), ERR_INVALID_ARGUMENT,
            "empty", &d->f->err);
    REFUSES(outcome_begin(d->service, bytes_of(longest, sizeof longest - 1), &use, &d->f->err),
            ERR_INVALID_ARGUMENT, "at most 255 characters, this one has 256", &d->f->err);
    REFUSES(outcome_begin(d->service, bytes_of_text("a b"), &use, &d->f->err), ERR_INVALID_ARGUMENT,
            "number 2 of this one is byte 0x20", &d->f->err);
    REFUSES(outcome_begin(d->service, bytes_of_text("ab\x7f"), &use, &d->f->err),
            ERR_INVALID_ARGUMENT, "byte 0x7f", &d->f->err);
    REFUSES(outcome_begin(d->service, bytes_of("a\0b", 3), &use, &d->f->err), ERR_INVALID_ARGUMENT,
            "byte 0x00", &d->f->err);
    assert_false(use.begun);
    WORKS(outcome_begin(d->service, bytes_of(longest, OUTCOME_KEY_BYTES_MAX), &use, &d->f->err),
          &d->f->err);
    outcome_end(d->service, &use);
    longest[OUTCOME_KEY_BYTES_MAX] = '\0';
    label(d, longest, "longest");
    assert_int_equal(kept_under(d, longest, service_revision(d->service)), 40);
}

/* --- failures ------------------------------------------------------------------------------ */

static void
short_memory_leaves_both_or_nothing(void **state)
{
    struct domain *d = *state;
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 1;

    label(d, "before", "before");
    for (; nth < 300 && code != OK; nth++) {
        struct asking asking = asking_with("k");

        asking.size = 20000;
        must_not_be_kept(d, "k");
        label_must_be(d, "before");
        (void)mem_fail_at(nth, 0);
        code = try_label(d, &asking, "after");
        (void)mem_fail_at(0, 0);
        assert_true(asking.outcome.kept == (code == OK));
        if (code != OK)
            FAILS(code, ERR_NO_MEMORY, &d->f->err);
    }
    assert_in_range(nth, 5, 299);
    label_must_be(d, "after");
    assert_int_equal(kept_under(d, "k", service_revision(d->service)), 20000);
}

static void
finding_in_short_memory_says_so(void **state)
{
    struct domain *d = *state;
    struct asking asking = asking_with("k");
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 1;

    asking.size = 100000;
    WORKS(try_label(d, &asking, "x"), &d->f->err);
    for (; nth < 100 && code != OK; nth++) {
        uint8_t fingerprint[OUTCOME_FINGERPRINT_BYTES];
        bool found = false;
        struct buf reply;

        buf_init(&reply, 1 << 20);
        (void)mem_fail_at(nth, 0);
        code =
            outcome_find(d->service, bytes_of_text("k"), &found, fingerprint, &reply, &d->f->err);
        (void)mem_fail_at(0, 0);
        assert_true(code != OK || (found && reply.size == 100000));
        buf_drop(&reply);
        if (code != OK)
            FAILS(code, ERR_NO_MEMORY, &d->f->err);
    }
    assert_in_range(nth, 2, 99);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(an_outcome_is_there_with_its_effect),
        DOMAIN_TEST(what_changes_nothing_is_kept_with_a_revision_of_its_own),
        DOMAIN_TEST(a_request_that_fails_leaves_nothing),
        DOMAIN_TEST(replies_of_every_size_are_kept_and_their_bytes_given_back),
        DOMAIN_TEST(the_oldest_go_a_few_at_a_time_when_they_have_expired),
        DOMAIN_TEST(an_expired_key_may_be_used_again),
        DOMAIN_TEST(no_more_are_kept_than_there_is_room_for),
        DOMAIN_TEST(expired_ones_make_room_however_many_they_are),
        DOMAIN_TEST(a_key_is_in_one_use_at_a_time),
        DOMAIN_TEST(keys_are_visible_ascii),
        DOMAIN_TEST(short_memory_leaves_both_or_nothing),
        DOMAIN_TEST(finding_in_short_memory_says_so),
    };

    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
