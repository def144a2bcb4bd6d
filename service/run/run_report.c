/* What a run did, told by its operations as they go and completed by the commit. */
#include "service/run/run_report.h"

#include <string.h>

#include "service/device/conflict.h"
#include "service/run/draft.h"
#include "service/training/accumulator.h"
#include "service/training/average_apply.h"
#include "service/training/optimizer_apply.h"
#include "store/base/alloc.h"

void
run_report_drop(struct run_report *report)
{
    for (size_t i = 0; i < report->result_count; i++) {
        initialize_report_drop(&report->results[i].initialized);
        optimizer_applied_drop(report->results[i].applied);
        average_applied_drop(report->results[i].averaged);
        accumulator_result_drop(report->results[i].accumulator);
    }
    for (size_t i = 0; i < report->fetch_count; i++)
        tensor_drop(&report->fetches[i]);
    mem_free(report->results);
    mem_free(report->fetches);
    mem_free(report->conflicts);
    *report = (struct run_report){0};
}

enum err_code
run_report_begin(const struct run_spec *spec, struct run_report *out, struct err *err)
{
    run_report_drop(out);
    out->dry_run = spec->dry_run;
    out->results = mem_zeroed(spec->op_count, sizeof *out->results, err);
    out->fetches = mem_zeroed(spec->fetch_count, sizeof *out->fetches, err);
    return out->results == NULL || out->fetches == NULL ? ERR_NO_MEMORY : OK;
}

void
run_changed(struct run_result *result, const struct draft_variable *variable)
{
    result->has_change = true;
    result->variable = variable;
    result->change_number = variable->changes;
    memcpy(result->change.name, variable->name, strlen(variable->name) + 1);
    result->change.type = variable->form.type;
    result->change.created = false;
}

static uint64_t
version_by(const struct draft_variable *variable, uint64_t change_number, bool dry_run)
{
    uint64_t before = dry_run ? variable->version : variable->published_version - variable->changes;

    return before + change_number;
}

void
run_version_note(struct run_version *out, const struct draft_variable *variable)
{
    memcpy(out->name, variable->name, strlen(variable->name) + 1);
    out->variable = variable;
    out->change_number = variable->changes;
}

void
run_versions_settle(struct run_version *versions, size_t count, bool dry_run)
{
    for (size_t i = 0; i < count; i++)
        versions[i].version = version_by(versions[i].variable, versions[i].change_number, dry_run);
}

void
run_report_end(struct run_report *report, uint64_t revision)
{
    report->revision = revision;
    for (size_t i = 0; i < report->result_count; i++) {
        struct run_result *result = &report->results[i];

        if (result->variable != NULL) {
            result->change.version =
                version_by(result->variable, result->change_number, report->dry_run);
            result->change.revision = revision;
        }
        if (result->save != NULL && !report->dry_run) {
            result->saved.record = *draft_saved(result->save, &result->saved.replaced);
            result->dropped = *draft_save_dropped(result->save);
        }
        result->initialized.revision = revision;
        if (result->applied != NULL)
            run_versions_settle(result->applied->variables, result->applied->variable_count,
                                report->dry_run);
        if (result->averaged != NULL)
            run_versions_settle(result->averaged->shadows, result->averaged->shadow_count,
                                report->dry_run);
    }
}

enum err_code
run_report_conflicts(const struct draft *draft, struct run_report *report, struct err *err)
{
    if (draft->conflicts == NULL)
        return OK;
    report->conflicts = mem_alloc(sizeof *report->conflicts, err);
    if (report->conflicts == NULL)
        return ERR_NO_MEMORY;
    *report->conflicts = *draft->conflicts;
    return OK;
}

void
run_report_forget_draft(struct run_report *report)
{
    for (size_t i = 0; i < report->result_count; i++) {
        report->results[i].variable = NULL;
        report->results[i].save = NULL;
    }
}
