/* What is said about the cluster when the server starts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service/placement/task_usage.h"
#include "service/state.h"
#include "store/base/log.h"
#include "store/base/scope.h"

enum {
    /* Variables and parts. A start is not to take long: half a second's. GET /v1/cluster looks at
     * all. */
    TELL_PLACES_MAX = 200000,
    TELL_NAMES_MAX = 4,
    TELL_BYTES_MAX = 2048,
};

/* Adds to a text that is cut where it is full. */
static void __attribute__((format(printf, 2, 3)))
add(char text[static TELL_BYTES_MAX], const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text + used, TELL_BYTES_MAX - used, format, arguments);
    va_end(arguments);
}

static void
tell_tasks(const struct service *service)
{
    const struct cluster *cluster = service->cluster;
    char text[TELL_BYTES_MAX] = "";

    for (size_t i = 0; i < cluster->job_count; i++)
        add(text, "%s%s (%zu)", i == 0 ? "" : ", ", cluster->jobs[i].name,
            cluster->jobs[i].task_count);
    log_write(LOG_INFO, "cluster: this process has all tasks of jobs %s; %zu devices", text,
              service->devices->count);
}

static void
tell_missing(const struct task_usages *usages)
{
    uint64_t variables = usages->tasks[usages->count].variables, others = usages->unnamed;
    char text[TELL_BYTES_MAX] = "";

    for (size_t i = 0; i < usages->missing_count; i++) {
        if (i < TELL_NAMES_MAX)
            add(text, "%s%s (%" PRIu64 ")", i == 0 ? "" : ", ", usages->missing[i].name,
                usages->missing[i].variables);
        else
            others += usages->missing[i].variables;
    }
    if (others > 0)
        add(text, " and others (%" PRIu64 ")", others);
    log_write(LOG_WARNING,
              "%s%" PRIu64 " variables are on tasks that are not there now: %s. They can be read, "
              "saved and deleted; what would run on them is refused until the setting 'cluster' "
              "names their tasks or they are placed anew",
              usages->complete ? "" : "at least ", variables, text);
}

void
task_usages_tell(struct service *service)
{
    AUTO(task_usages) usages = {.count = 0};
    struct err err = ERR_INIT;

    if (service->cluster != &service->local)
        tell_tasks(service);
    if (task_usages_read(service, TELL_PLACES_MAX, &usages, &err) != OK)
        log_write(LOG_WARNING, "whether variables are on tasks that are not there: %s", err.text);
    else if (usages.tasks[usages.count].variables > 0)
        tell_missing(&usages);
}
