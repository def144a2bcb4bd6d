/* Where everything is put together: settings, store, service, HTTP; then it waits for a signal and
 * takes everything apart in the reverse order. The one file that looks at all layers. */
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "api/guard/health_command.h"
#include "api/guard/token_command.h"
#include "api/resource/cluster_json.h"
#include "api/server.h"
#include "service/command/command.h"
#include "service/command/command_store.h"
#include "service/command/notify.h"
#include "service/expr/recipe.h"
#include "service/placement/task_usage.h"
#include "service/service.h"
#include "service/settings.h"
#include "service/version.h"
#include "store/base/log.h"
#include "store/base/scope.h"
#include "store/store.h"

enum {
    HEAP_THRESHOLD_BYTES = 1 << 30, /* of mmap and of trimming: chunks come and go all the time */
    HEAPS_MAX = 8,     /* one would make the HTTP threads wait for each other at every request */
    FILES_SPARE = 256, /* beside connections */
    READERS_SPARE = 64,
    COMPUTE_THREADS_MAX = 256, /* beside threads */
};

static const struct command command_rows[] = {
#define COMMAND(function, name, operand, follows, help) {name, operand, help, function, follows},
#include "service/command/commands.def"
#undef COMMAND
};

static const struct commands commands = {command_rows, sizeof command_rows / sizeof *command_rows};

/* The committer makes and frees chunks by the thousand. One heap that keeps its pages is 2 to 3
 * times as fast with them as glibc's usual per-thread heaps, which give pages back. */
static void
set_up_heap(void)
{
    (void)mallopt(M_ARENA_MAX, HEAPS_MAX);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_THRESHOLD_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_THRESHOLD_BYTES);
}

static void
set_up_process(const struct settings *settings)
{
    rlim_t wanted = settings->connections_max + settings->http_threads * 16 + FILES_SPARE;
    struct rlimit files, no_core = {0, 0};

    (void)umask(S_IRWXG | S_IRWXO);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_CORE, &no_core);
#ifndef __SANITIZE_ADDRESS__ /* its leak check looks at the process from outside */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < wanted)
        log_write(LOG_WARNING, "only %" PRIu64 " files may be open, connections_max wants %" PRIu64,
                  (uint64_t)files.rlim_cur, (uint64_t)wanted);
}

static enum err_code
read_log_level(const char *text, struct err *err)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            log_set_level((enum log_level)i);
            return OK;
        }
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "setting 'log_level' is debug, info, warning or error, not '%.100s'", text);
}

/* "commit" or "interval=MS" */
static enum err_code
read_durability(const char *text, struct store_config *out, struct err *err)
{
    static const char prefix[] = "interval=";
    char *end = NULL;
    unsigned long interval_ms = 0;

    out->durability = STORE_DURABLE_COMMIT;
    if (strcmp(text, "commit") == 0)
        return OK;
    out->durability = STORE_DURABLE_INTERVAL;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0 && text[sizeof prefix - 1] >= '1' &&
        text[sizeof prefix - 1] <= '9')
        interval_ms = strtoul(text + sizeof prefix - 1, &end, 10);
    if (end == NULL || (*end != '\0' && strcmp(end, "ms") != 0) || interval_ms > 3600000)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "setting 'durability' is commit or interval=MS (1 to 3600000), not '%.100s'",
                       text);
    out->interval_ms = (uint32_t)interval_ms;
    return OK;
}

static struct store_config
config_of(const struct settings *settings)
{
    struct store_config config = store_config_default(settings->data);

    config.map_size_bytes = settings->map_size_bytes;
    config.size_max_bytes = settings->store_max_bytes;
    config.disk_reserve_bytes = settings->disk_reserve_bytes;
    config.readers_max =
        (uint32_t)(settings->http_threads + settings->worker_threads + READERS_SPARE);
    config.batch_units_max = (uint32_t)settings->batch_units_max;
    config.verify_at_open = settings->verify;
    config.force_file_system = settings->force_file_system;
    config.recipe_make = recipe_make;
    return config;
}

static enum err_code
open_store(const struct settings *settings, struct store **out, struct err *err)
{
    struct store_config config = config_of(settings);

    TRY(read_durability(settings->durability, &config, err));
    return store_open(&config, out, err);
}

static uint32_t
processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 ? 1 : (uint32_t)(count < COMPUTE_THREADS_MAX ? count : COMPUTE_THREADS_MAX);
}

static enum err_code
read_cluster(const struct settings *settings, struct cluster *out, struct err *err)
{
    const struct cluster_limits limits = {.jobs_max = (uint32_t)settings->cluster_jobs_max,
                                          .tasks_max = (uint32_t)settings->cluster_tasks_max};
    const char *text = settings->cluster;
    enum err_code code = text[0] == '\0' ? OK : api_cluster_parse(text, &limits, out, err);

    if (code != OK)
        err_prefix(err, "setting 'cluster'");
    return code;
}

static enum err_code
open_service(const struct settings *settings, const struct cluster *cluster, struct store *store,
             struct service **out, struct err *err)
{
    struct service_limits limits = service_limits_default();

    limits.tensor_bytes_max = settings->tensor_max_bytes;
    limits.expression_bytes_max = settings->expression_max_bytes;
    limits.expression_operations_max = settings->expression_operations_max;
    limits.compute_threads =
        settings->compute_threads > 0 ? (uint32_t)settings->compute_threads : processors();
    limits.expression_nodes_max = (uint32_t)settings->expression_nodes_max;
    limits.expression_depth_max = (uint32_t)settings->expression_depth_max;
    limits.variables_per_request_max = (uint32_t)settings->variables_per_request_max;
    limits.inline_reply_bytes_max = settings->inline_reply_max_bytes;
    limits.literal_bytes_max = settings->literal_max_bytes;
    limits.idempotency_reply_bytes_max = settings->idempotency_reply_max_bytes;
    limits.idempotency_keep_ms = settings->idempotency_keep_ms;
    limits.idempotency_keys_max = settings->idempotency_keys_max;
    limits.accumulation_keep_ms = settings->accumulation_keep_ms;
    limits.history_bytes_max = settings->history_max_bytes;
    limits.history_interval_ms = settings->history_interval_ms;
    limits.history_interval_versions = settings->history_interval_versions;
    limits.history_cpu_percent = (uint32_t)settings->history_cpu_percent;
    limits.model_quota_bytes = settings->model_quota_bytes;
    limits.model_quota_variables = settings->model_quota_variables;
    limits.changes_max = settings->changes_max;
    limits.changes_bytes_max = settings->changes_max_bytes;
    limits.backup_rate_max_bytes = settings->backup_rate_max_bytes;
    limits.backups_max = (uint32_t)settings->backups_max;
    limits.cluster = cluster->job_count > 0 ? cluster : NULL;
    limits.cpu_devices = (uint32_t)settings->cpu_devices;
    limits.cpu_device_threads = (uint32_t)settings->cpu_device_threads;
    limits.cluster_jobs_max = (uint32_t)settings->cluster_jobs_max;
    limits.cluster_tasks_max = (uint32_t)settings->cluster_tasks_max;
    limits.cluster_devices_max = (uint32_t)settings->cluster_devices_max;
    limits.devices_per_request_max = (uint32_t)settings->devices_per_request_max;
    return service_open(store, &limits, out, err);
}

static sigset_t
stop_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    return set;
}

/* Runs in threads that do not block these signals: OpenBLAS starts its own before main begins. From
 * now on this one does, and the signal goes to the process again, where wait_for_signal finds it.
 */
static void
pass_on(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;

    (void)info;
    (void)sigaddset(&interrupted->uc_sigmask, SIGTERM);
    (void)sigaddset(&interrupted->uc_sigmask, SIGINT);
    (void)sigaddset(&interrupted->uc_sigmask, SIGHUP);
    (void)kill(getpid(), number);
}

/* Blocked before any thread of ours starts, so that only wait_for_signal sees them. */
static sigset_t
block_signals(void)
{
    sigset_t set = stop_signals();
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};

    action.sa_mask = set;
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    return set;
}

/* SIGHUP has files read again. The first signal to stop ends the wait; a second one, while
 * draining, ends the process. */
static void
wait_for_signal(const sigset_t *set, struct api_server *server)
{
    int number = SIGHUP;

    while (number == SIGHUP)
        if (sigwait(set, &number) == 0 && number == SIGHUP)
            api_server_reload(server);
    log_write(LOG_INFO, "stopping on signal %d", number);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static enum err_code
serve(const struct settings *settings, struct service *service, const sigset_t *signals,
      struct err *err)
{
    struct api_server *server = NULL;

    TRY(api_server_start(service, settings, &server, err));
    printf("listening on %s://%s:%u\n", api_server_scheme(server), api_server_address(server),
           (unsigned)api_server_port(server));
    (void)fflush(stdout);
    notify_manager("READY=1");
    wait_for_signal(signals, server);
    notify_manager("STOPPING=1");
    api_server_stop(server);
    return OK;
}

static enum err_code
run(const struct settings *settings, struct err *err)
{
    sigset_t signals = block_signals();
    AUTO(cluster) cluster = {0};
    struct store *store = NULL;
    struct service *service = NULL;
    enum err_code code;

    TRY(read_log_level(settings->log_level, err));
    set_up_process(settings);
    TRY(read_cluster(settings, &cluster, err));
    TRY(open_store(settings, &store, err));
    code = open_service(settings, &cluster, store, &service, err);
    if (code == OK) {
        task_usages_tell(service);
        code = serve(settings, service, &signals, err);
        service_close(service);
    }
    store_close(store);
    return code;
}

static enum err_code
run_command(const struct command *command, const char *operand, const struct settings *settings,
            struct err *err)
{
    const struct command_input input = {
        .operand = operand,
        .settings = settings,
        .store = config_of(settings),
        .out = strcmp(operand == NULL ? "" : operand, "-") == 0 ? stderr : stdout};

    TRY(read_log_level(settings->log_level, err));
    set_up_process(settings);
    return command->run(&input, err);
}

static enum err_code
run_all(int argc, char **argv, struct err *err)
{
    const struct command *command = NULL;
    const char *operand = NULL;
    struct settings settings;
    bool help, version;
    int words = 0;

    TRY(command_find(&commands, argc, argv, &command, &operand, &words, err));
    if (command != NULL && command->follows == COMMAND_WORDS)
        return command->run(
            &(struct command_input){.argc = argc - 2, .argv = argv + 2, .out = stdout}, err);
    TRY(settings_read(argc - words, argv + words, &settings, &help, &version, err));
    if (help) {
        command_print_help(&commands, stdout);
        settings_print_help(stdout);
        return OK;
    }
    if (version) {
        printf("tensorkeep %s\n", service_version);
        return OK;
    }
    return command == NULL ? run(&settings, err) : run_command(command, operand, &settings, err);
}

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    set_up_heap();
    if (run_all(argc, argv, &err) == OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "tensorkeep: %s\n", err.text);
    return EXIT_FAILURE;
}
