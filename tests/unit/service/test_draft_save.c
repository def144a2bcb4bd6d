/* Checkpoints of a draft hold the values as they were when they were asked for, whatever the run
 * does to the variables before and after. */
#include "tests/unit/service/draft_fixture.h"

enum { LARGE = 400000, STAGED = 1500000 };

/* What "v" holds at each moment of a run: two values, and edits over them. */
struct story {
    size_t size;
    uint8_t *first, *second; /* as stored before; as written by the run */
    uint8_t *edited[3];      /* what checkpoints or the variable must hold */
    uint32_t seed;
};

static struct story
story_of(size_t size, uint32_t seed)
{
    struct story s = {.size = size, .seed = seed};

    s.first = some_bytes(size, seed + 1);
    s.second = some_bytes(size, seed + 2);
    for (size_t i = 0; i < 3; i++)
        s.edited[i] = some_bytes(size, seed + 1);
    return s;
}

static void
story_drop(struct story *s)
{
    free(s->first);
    free(s->second);
    for (size_t i = 0; i < 3; i++)
        free(s->edited[i]);
}

/* The same few edits of the variable and of what it is expected to hold; each time others. */
static enum err_code
edit_both(struct draft *draft, struct story *s, uint32_t time, uint8_t *expected, struct err *err)
{
    uint8_t part[300];

    for (uint32_t i = 0; i < 6; i++) {
        size_t size = s->size < sizeof part ? s->size : sizeof part;
        size_t offset = (s->seed * 7919 + time * 104729 + i * 130363) % (s->size - size + 1);

        memset(part, (int)(time * 10 + i + 100), size);
        TRY(write_part(draft, "v", offset, part, size, err));
        memcpy(expected + offset, part, size);
    }
    return drafted_is(draft, "v", expected, s->size, err);
}

static const size_t sizes[] = {100, 5000, 40000, LARGE, STAGED};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Tells the story for every size in both places, then looks at c, d and v. A variable, checkpoints
 * and store are as if each had been a request of its own. */
static void
tell(struct domain *d, draft_make *make, bool has_value, const int expected[3])
{
    for (uint32_t i = 0; i < 2 * SIZES; i++) {
        bool ahead = i % 2 == 1 || sizes[i / 2] > SERVICE_COMMIT_BYTES_MAX;
        struct story s = story_of(sizes[i / 2], i);
        const uint8_t *held[] = {s.first, s.second, s.edited[0], s.edited[1], s.edited[2]};
        uint64_t revision;

        make_bytes(d, "v", has_value ? s.first : NULL, s.size, i % 3 == 0);
        draft_works(d, ahead, make, &s);
        bytes_must_be(d, "v", held[expected[0]], s.size);
        saved_must_be(d, "c", "v", held[expected[1]], s.size);
        if (expected[2] >= 0)
            saved_must_be(d, "d", "v", held[expected[2]], s.size);
        assert_int_equal(findings(d), 0);
        delete_variable(d, "v");
        assert_int_equal(findings(d), 0);
        saved_must_be(d, "c", "v", held[expected[1]], s.size);
        WORKS(checkpoint_delete(d->service, MODEL, "c", NULL, &revision, &d->f->err), &d->f->err);
        if (expected[2] >= 0)
            WORKS(checkpoint_delete(d->service, MODEL, "d", NULL, &revision, &d->f->err),
                  &d->f->err);
        assert_int_equal(chunks(d), 0);
        assert_int_equal(usage_of_model(d).checkpoints, 0);
        assert_int_equal(usage_of_model(d).checkpoint_bytes, 0);
        story_drop(&s);
    }
}

/* --- stories ------------------------------------------------------------------------------- */

enum { FIRST, SECOND, EDITED_0, EDITED_1, EDITED_2 };

static enum err_code
save_then_edit(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(save_now(draft, "c", "v", false, err));
    return edit_both(draft, s, 0, s->edited[0], err);
}

static void
a_save_keeps_the_bytes_that_are_edited_after_it(void **state)
{
    tell(*state, save_then_edit, true, (const int[]){EDITED_0, FIRST, -1});
}

static enum err_code
edit_save_edit_save_edit(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(edit_both(draft, s, 0, s->edited[0], err));
    memcpy(s->edited[1], s->edited[0], s->size);
    TRY(save_now(draft, "c", "v", false, err));
    TRY(edit_both(draft, s, 1, s->edited[1], err));
    memcpy(s->edited[2], s->edited[1], s->size);
    TRY(save_now(draft, "d", "v", false, err));
    return edit_both(draft, s, 2, s->edited[2], err);
}

static void
edits_pile_up_between_saves(void **state)
{
    tell(*state, edit_save_edit_save_edit, true, (const int[]){EDITED_2, EDITED_0, EDITED_1});
}

static enum err_code
save_then_assign(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(save_now(draft, "c", "v", false, err));
    TRY(write_whole(draft, "v", s->second, s->size, err));
    return drafted_is(draft, "v", s->second, s->size, err);
}

static void
a_save_keeps_the_value_that_is_replaced_after_it(void **state)
{
    tell(*state, save_then_assign, true, (const int[]){SECOND, FIRST, -1});
}

static enum err_code
assign_save_edit(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(write_whole(draft, "v", s->second, s->size, err));
    TRY(save_now(draft, "c", "v", false, err));
    TRY(save_now(draft, "d", "v", false, err));
    memcpy(s->edited[0], s->second, s->size);
    return edit_both(draft, s, 0, s->edited[0], err);
}

static void
a_value_of_the_run_is_saved_and_then_edited(void **state)
{
    tell(*state, assign_save_edit, false, (const int[]){EDITED_0, SECOND, SECOND});
}

static enum err_code
assign_edit_save_assign(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(write_whole(draft, "v", s->second, s->size, err));
    memcpy(s->edited[0], s->second, s->size);
    TRY(edit_both(draft, s, 0, s->edited[0], err));
    TRY(save_now(draft, "c", "v", false, err));
    return write_whole(draft, "v", s->first, s->size, err);
}

static void
an_edited_value_lives_on_in_its_checkpoint_alone(void **state)
{
    tell(*state, assign_edit_save_assign, false, (const int[]){FIRST, EDITED_0, -1});
}

/* The second checkpoint of a name takes the place of the first, with all that it held. */
static enum err_code
save_twice(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(write_whole(draft, "v", s->second, s->size, err));
    TRY(save_now(draft, "c", "v", true, err));
    TRY(save_now(draft, "c", "v", true, err));
    memcpy(s->edited[0], s->second, s->size);
    TRY(edit_both(draft, s, 0, s->edited[0], err));
    TRY(save_now(draft, "c", "v", true, err));
    memcpy(s->edited[1], s->edited[0], s->size);
    return edit_both(draft, s, 1, s->edited[1], err);
}

static void
a_checkpoint_of_the_run_is_replaced_in_the_run(void **state)
{
    tell(*state, save_twice, true, (const int[]){EDITED_1, EDITED_0, -1});
}

static enum err_code
save_stored_twice(struct draft *draft, void *context, struct err *err)
{
    struct story *s = context;

    TRY(save_now(draft, "c", "v", true, err));
    TRY(save_now(draft, "c", "v", true, err));
    return write_whole(draft, "v", s->second, s->size, err);
}

static void
so_is_one_of_what_was_stored(void **state)
{
    tell(*state, save_stored_twice, true, (const int[]){SECOND, FIRST, -1});
}

/* --- what is refused ----------------------------------------------------------------------- */

static enum err_code
save_what_is_there(struct draft *draft, void *context, struct err *err)
{
    uint64_t wrong = 1;
    struct write_options fresh = {.if_none_match = true},
                         match = {.if_match = true, .revisions = &wrong, .revision_count = 1};
    struct draft_save_spec spec = {.name = "c"};
    struct draft_save *save = NULL;

    (void)context;
    MUST_FAIL(draft_save_open(draft, &spec, &save, err), ERR_ALREADY_EXISTS, "'c' exists already");
    spec.overwrite = true;
    spec.options = &fresh;
    MUST_FAIL(draft_save_open(draft, &spec, &save, err), ERR_PRECONDITION_FAILED, "'c'");
    spec.options = &match;
    MUST_FAIL(draft_save_open(draft, &spec, &save, err), ERR_PRECONDITION_FAILED, "'c'");
    TRY(save_now(draft, "e", "v", false, err));
    MUST_FAIL(save_now(draft, "e", "v", false, err), ERR_ALREADY_EXISTS, "'e' exists already");
    MUST_FAIL(save_now(draft, "f", "empty", false, err), ERR_FAILED_PRECONDITION, "'empty'");
    return err_set(err, ERR_ABORTED, "what is begun and dropped ends the run");
}

static enum err_code
save_twin(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;
    struct draft_save_spec spec = {.name = "g"};
    struct draft_save *save = NULL;

    (void)context;
    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_save_open(draft, &spec, &save, err));
    TRY(draft_save_add(draft, save, bytes_of_text("x"), variable, err));
    return draft_save_add(draft, save, bytes_of_text("x"), variable, err);
}

static void
what_cannot_be_saved_is_refused_when_it_is_asked_for(void **state)
{
    const struct checkpoint_pick picks[] = {{"v", "v"}};
    struct checkpoint_save_spec of_v = {.name = "c", .picks = picks, .pick_count = 1};
    struct domain *d = *state;

    make_bytes(d, "v", "abc", 3, false);
    make_bytes(d, "empty", NULL, 3, false);
    WORKS(try_save(d, of_v, NULL), &d->f->err);
    for (int i = 0; i < 2; i++) {
        FAILS(try_draft(d, i == 1, save_what_is_there, NULL), ERR_ABORTED, &d->f->err);
        REFUSES(try_draft(d, i == 1, save_twin, NULL), ERR_INVALID_ARGUMENT, "same name",
                &d->f->err);
    }
    assert_int_equal(usage_of_model(d).checkpoints, 1);
}

static enum err_code
save_with_step(struct draft *draft, void *context, struct err *err)
{
    struct draft_save **out = context;
    struct draft_save_spec spec = {
        .name = "c-7", .has_global_step = true, .global_step = 7, .overwrite = true};
    struct draft_variable *variable = NULL;

    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_save_open(draft, &spec, out, err));
    TRY(draft_save_add(draft, *out, bytes_of_text("x"), variable, err));
    return draft_save_add(draft, *out, bytes_of_text("y"), variable, err);
}

static void
what_was_saved_is_told(void **state)
{
    struct domain *d = *state;
    struct draft_save *save = NULL;
    struct drafting w = {.d = d, .make = save_with_step, .context = &save};
    AUTO_SNAPSHOT snapshot = NULL;
    bool replaced = false;

    make_bytes(d, "v", "abc", 3, false);
    for (int i = 0; i < 2; i++) {
        AUTO(draft) draft = {0};
        const struct checkpoint_record *record;

        WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
        WORKS(
            draft_open(&draft, d->service, MODEL, store_snapshot_view(snapshot), true, &d->f->err),
            &d->f->err);
        WORKS(save_with_step(&draft, &save, &d->f->err), &d->f->err);
        w.draft = &draft;
        w.undone = 1;
        WORKS(drafting_commit(&w, draft.stage), &d->f->err);
        record = draft_saved(save, &replaced);
        assert_true(replaced == (i == 1));
        assert_int_equal(record->tensors, 2);
        assert_int_equal(record->bytes, 6);
        assert_int_equal(record->global_step, 7);
        assert_int_equal(record->revision, service_revision(d->service));
        store_snapshot_drop(snapshot);
        snapshot = NULL;
    }
}

/* --- beside others ------------------------------------------------------------------------- */

static void
save_the_same(struct domain *d)
{
    (void)save(d, "c");
}

static enum err_code
save_or_overwrite(struct draft *draft, void *context, struct err *err)
{
    const bool *overwrite = context;

    return save_now(draft, "c", "v", *overwrite, err);
}

static void
a_checkpoint_that_appears_meanwhile_is_met_the_next_time(void **state)
{
    struct domain *d = *state;
    bool overwrite = false;
    struct drafting w = {.d = d, .make = save_or_overwrite, .context = &overwrite};
    uint64_t revision;

    make_bytes(d, "v", "abc", 3, false);
    w.between = save_the_same;
    REFUSES(drafting_ahead(&w), ERR_CONFLICT, "checkpoint 'c' changed meanwhile", &d->f->err);
    w.between = NULL;
    REFUSES(drafting_ahead(&w), ERR_ALREADY_EXISTS, "'c' exists already", &d->f->err);
    WORKS(checkpoint_delete(d->service, MODEL, "c", NULL, &revision, &d->f->err), &d->f->err);
    overwrite = true;
    w.between = save_the_same;
    WORKS(drafting_ahead(&w), &d->f->err);
    assert_int_equal(usage_of_model(d).checkpoints, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_save_keeps_the_bytes_that_are_edited_after_it),
        DOMAIN_TEST(edits_pile_up_between_saves),
        DOMAIN_TEST(a_save_keeps_the_value_that_is_replaced_after_it),
        DOMAIN_TEST(a_value_of_the_run_is_saved_and_then_edited),
        DOMAIN_TEST(an_edited_value_lives_on_in_its_checkpoint_alone),
        DOMAIN_TEST(a_checkpoint_of_the_run_is_replaced_in_the_run),
        DOMAIN_TEST(so_is_one_of_what_was_stored),
        DOMAIN_TEST(what_cannot_be_saved_is_refused_when_it_is_asked_for),
        DOMAIN_TEST(what_was_saved_is_told),
        DOMAIN_TEST(a_checkpoint_that_appears_meanwhile_is_met_the_next_time),
    };

    return cmocka_run_group_tests_name("draft_save", tests, NULL, NULL);
}
