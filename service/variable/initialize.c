/* What an initialization tells. */
#include "service/variable/initialize.h"

#include "store/base/alloc.h"

void
initialize_report_drop(struct initialize_report *report)
{
    mem_free(report->initialized);
    mem_free(report->skipped);
    mem_free(report->draws);
    mem_free(report->draw_ends);
    *report = (struct initialize_report){0};
}
