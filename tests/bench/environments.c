/* LMDB alone: what one environment commits, beside several that the same clients are spread over,
 * each with a thread that commits all that waits (as store/lmdb/committer.c does). Clients write a
 * small record and a line of a log each time. And what a commit over several environments costs
 * that is all or nothing: intents in each of them, then a decision in the first, two syncs one
 * after the other; beside the same records in one environment. And large chunks, ahead of a commit.
 *
 * Usage: environments FOLDER [rounds] [seconds]. Prints one JSON object; figures of a row are its
 * rounds, taken turn about. */
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/lock.h"
#include "tests/bench/bench.h"

enum {
    ENVIRONMENTS_MAX = 4,
    CLIENTS_MAX = 64,
    ROUNDS_MAX = 100,
    RECORD_BYTES = 400,
    LINE_BYTES = 100,
    CHUNK_BYTES = 262128,
    CHUNKS_PER_COMMIT = 4,
    CHUNKS_KEPT = 128, /* of each thread, written over and over */
    STAGING_THREADS = 4,
};

static const size_t map_bytes = (size_t)16 << 30;

enum kind {
    OWN,     /* each client has its environment, which commits for itself */
    OVER,    /* each unit writes to all environments: all or nothing */
    STAGING, /* chunks */
};

struct setup {
    enum kind kind;
    const char *what;
    int environments, records, clients; /* records of a unit */
    unsigned flags;                     /* MDB_NOSYNC, MDB_NOMETASYNC */
    double rates[ROUNDS_MAX];           /* units a second, or MB */
};

struct environment {
    MDB_env *env;
    MDB_dbi dbi;
    uint64_t lines;
};

/* A group of clients whose units are committed together. */
struct group {
    const struct setup *setup;
    struct environment *environments; /* that its units write to */
    int count;
    struct lock lock;
    struct condition work;
    int waiting[CLIENTS_MAX], waiting_count;
    pthread_t committer;
};

struct client {
    struct group *group;
    int number;
    struct latch answered;
    uint64_t units;
    pthread_t thread;
};

static struct client clients[CLIENTS_MAX];
static atomic_bool stops, closes; /* clients; then committers */

static void
check(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "environments: %s: %s\n", what, mdb_strerror(rc));
    exit(1);
}

/* --- writing ------------------------------------------------------------------------------- */

static MDB_txn *
begin(const struct environment *e)
{
    MDB_txn *txn = NULL;

    check(mdb_txn_begin(e->env, NULL, 0, &txn), "begin");
    return txn;
}

static void
put(const struct environment *e, MDB_txn *txn, const char *kind, uint64_t number, size_t size)
{
    char key[32];
    MDB_val k = {(size_t)snprintf(key, sizeof key, "%s%012" PRIu64, kind, number), key};
    MDB_val v = {size, NULL};

    check(mdb_put(txn, e->dbi, &k, &v, MDB_RESERVE), "put");
    memset(v.mv_data, (int)number, size);
}

static void
put_units(struct environment *e, MDB_txn *txn, const char *kind, const int *numbers, int count,
          int records)
{
    for (int i = 0; i < count; i++) {
        for (int each = 0; each < records; each++)
            put(e, txn, kind, (uint64_t)(numbers[i] * ENVIRONMENTS_MAX + each), RECORD_BYTES);
        put(e, txn, "line", e->lines++, LINE_BYTES);
    }
}

static void
commit_alone(struct environment *e, const int *numbers, int count, int records)
{
    MDB_txn *txn = begin(e);

    put_units(e, txn, "value", numbers, count, records);
    check(mdb_txn_commit(txn), "commit");
}

struct part {
    struct environment *environment;
    const int *numbers;
    int count;
    int records;
    const int *decided; /* by the commit before: their intents become values here, without a sync */
    int decided_count;
};

static void *
prepare(void *context)
{
    struct part *p = context;
    MDB_txn *txn = begin(p->environment);

    put_units(p->environment, txn, "value", p->decided, p->decided_count, p->records);
    put_units(p->environment, txn, "intent", p->numbers, p->count, p->records);
    check(mdb_txn_commit(txn), "commit intents");
    return NULL;
}

/* All environments at once, as fast as they can; then the word that makes it true. */
static void
commit_over(struct group *g, const int *numbers, int count, const int *decided, int decided_count)
{
    struct part parts[ENVIRONMENTS_MAX];
    pthread_t threads[ENVIRONMENTS_MAX];
    MDB_txn *txn;

    for (int i = 0; i < g->count; i++) {
        parts[i] = (struct part){&g->environments[i], numbers, count,
                                 g->setup->records,   decided, decided_count};
        if (i > 0)
            check(pthread_create(&threads[i], NULL, prepare, &parts[i]), "start a thread");
    }
    (void)prepare(&parts[0]);
    for (int i = 1; i < g->count; i++)
        check(pthread_join(threads[i], NULL), "join a thread");
    txn = begin(&g->environments[0]);
    put(&g->environments[0], txn, "decision", g->environments[0].lines, LINE_BYTES);
    check(mdb_txn_commit(txn), "commit a decision");
}

static int
take_waiting(struct group *g, int numbers[static CLIENTS_MAX])
{
    int count;

    lock_acquire(&g->lock);
    while (g->waiting_count == 0 && !atomic_load(&closes))
        (void)condition_wait_ms(&g->work, &g->lock, 10);
    count = g->waiting_count;
    memcpy(numbers, g->waiting, (size_t)count * sizeof *numbers);
    g->waiting_count = 0;
    lock_release(&g->lock);
    return count;
}

static void *
commit_for_group(void *context)
{
    struct group *g = context;
    int numbers[CLIENTS_MAX], decided[CLIENTS_MAX], decided_count = 0, count;

    while ((count = take_waiting(g, numbers)) > 0) {
        if (g->count == 1)
            commit_alone(g->environments, numbers, count, g->setup->records);
        else
            commit_over(g, numbers, count, decided, decided_count);
        memcpy(decided, numbers, sizeof decided);
        decided_count = count;
        for (int i = 0; i < count; i++)
            latch_open(&clients[numbers[i]].answered);
    }
    return NULL;
}

static void *
ask(void *context)
{
    struct client *c = context;
    struct group *g = c->group;

    while (!atomic_load(&stops)) {
        bool is_first;

        latch_init(&c->answered);
        lock_acquire(&g->lock);
        is_first = g->waiting_count == 0;
        g->waiting[g->waiting_count++] = c->number;
        lock_release(&g->lock);
        if (is_first)
            condition_signal(&g->work);
        latch_wait(&c->answered);
        latch_drop(&c->answered);
        c->units++;
    }
    return NULL;
}

static void *
stage(void *context)
{
    struct client *c = context;
    const struct environment *e = c->group->environments;

    for (uint64_t next = 0; !atomic_load(&stops); c->units += CHUNKS_PER_COMMIT) {
        MDB_txn *txn = begin(e);

        for (int i = 0; i < CHUNKS_PER_COMMIT; i++)
            put(e, txn, "chunk", (uint64_t)c->number * CHUNKS_KEPT + next++ % CHUNKS_KEPT,
                CHUNK_BYTES);
        check(mdb_txn_commit(txn), "commit chunks");
    }
    return NULL;
}

/* --- one round ----------------------------------------------------------------------------- */

static void
open_environment(struct environment *e, const char *folder, int number, unsigned flags)
{
    char path[4096];
    MDB_txn *txn = NULL;

    *e = (struct environment){0};
    (void)snprintf(path, sizeof path, "%s/%d", folder, number);
    if (mkdir(path, 0700) != 0)
        check(errno, "make a folder");
    check(mdb_env_create(&e->env), "create");
    check(mdb_env_set_mapsize(e->env, map_bytes), "map");
    check(mdb_env_open(e->env, path, flags, 0600), "open");
    check(mdb_txn_begin(e->env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, 0, &e->dbi), "open the table");
    check(mdb_txn_commit(txn), "commit");
}

static void
close_environment(struct environment *e, const char *folder, int number)
{
    static const char *const files[] = {"/data.mdb", "/lock.mdb", ""};
    char path[4096];

    mdb_env_close(e->env);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%d%s", folder, number, files[i]);
        if (remove(path) != 0)
            check(errno, "remove");
    }
}

/* Units that all clients have got through by then, a second. */
static double
run_clients(const struct setup *s, struct group *groups, int group_count, double seconds)
{
    const struct timespec time = {(time_t)seconds,
                                  (long)((seconds - (double)(time_t)seconds) * 1e9)};
    double began = seconds_of(CLOCK_MONOTONIC), took;
    uint64_t units = 0;

    atomic_store(&stops, false);
    atomic_store(&closes, false);
    for (int i = 0; s->kind != STAGING && i < group_count; i++)
        check(pthread_create(&groups[i].committer, NULL, commit_for_group, &groups[i]), "start");
    for (int i = 0; i < s->clients; i++) {
        clients[i] = (struct client){.group = &groups[i % group_count], .number = i};
        check(
            pthread_create(&clients[i].thread, NULL, s->kind == STAGING ? stage : ask, &clients[i]),
            "start");
    }
    (void)nanosleep(&time, NULL);
    atomic_store(&stops, true);
    for (int i = 0; i < s->clients; i++) {
        check(pthread_join(clients[i].thread, NULL), "join");
        units += clients[i].units;
    }
    took = seconds_of(CLOCK_MONOTONIC) - began;
    atomic_store(&closes, true);
    for (int i = 0; s->kind != STAGING && i < group_count; i++)
        check(pthread_join(groups[i].committer, NULL), "join");
    return (double)units / took;
}

static void
run_setup(struct setup *s, const char *folder, int round, double seconds)
{
    struct environment environments[ENVIRONMENTS_MAX];
    struct group groups[ENVIRONMENTS_MAX];
    int group_count = s->kind == OVER ? 1 : s->environments;
    double rate;

    for (int i = 0; i < s->environments; i++)
        open_environment(&environments[i], folder, i, s->flags);
    for (int i = 0; i < group_count; i++) {
        groups[i] = (struct group){.setup = s,
                                   .environments = &environments[i],
                                   .count = s->kind == OVER ? s->environments : 1};
        lock_init(&groups[i].lock);
        condition_init(&groups[i].work);
    }
    rate = run_clients(s, groups, group_count, seconds);
    s->rates[round] = s->kind == STAGING ? rate * CHUNK_BYTES / 1e6 : rate;
    for (int i = 0; i < group_count; i++) {
        condition_drop(&groups[i].work);
        lock_drop(&groups[i].lock);
    }
    for (int i = 0; i < s->environments; i++)
        close_environment(&environments[i], folder, i);
}

/* --- all of them --------------------------------------------------------------------------- */

static int
add_setups(struct setup *out)
{
    static const int counts[] = {1, 2, 4}, client_counts[] = {4, 16, 64};
    int n = 0;

    for (int c = 0; c < 3; c++) {
        for (int e = 0; e < 3; e++)
            out[n++] = (struct setup){
                OWN, "small commits, synced", counts[e], 1, client_counts[c], 0, {0}};
        for (int e = 0; e < 3; e++)
            out[n++] = (struct setup){
                OWN, "small commits, not synced", counts[e], 1, client_counts[c], MDB_NOSYNC, {0}};
        for (int e = 0; e < 3; e++)
            out[n++] = (struct setup){OVER,
                                      "4 records, all or nothing, synced",
                                      counts[e],
                                      counts[e] == 1 ? 4 : 4 / counts[e],
                                      client_counts[c],
                                      0,
                                      {0}};
    }
    for (int e = 0; e < 3; e++)
        out[n++] = (struct setup){
            STAGING, "chunks ahead of a commit, MB", counts[e], 1, STAGING_THREADS, MDB_NOMETASYNC,
            {0}};
    return n;
}

static void
print(const struct setup *setups, int count, int rounds)
{
    printf("[");
    for (int i = 0; i < count; i++) {
        printf("%s\n {\"what\": \"%s\", \"environments\": %d, \"clients\": %d, \"per_second\": [",
               i == 0 ? "" : ",", setups[i].what, setups[i].environments, setups[i].clients);
        for (int round = 0; round < rounds; round++)
            printf("%s%.1f", round == 0 ? "" : ", ", setups[i].rates[round]);
        printf("]}");
    }
    printf("]\n");
}

int
main(int argc, char **argv)
{
    static struct setup setups[64];
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3, count = add_setups(setups);
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 1;

    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || !(seconds > 0 && seconds < 1000)) {
        fprintf(stderr, "usage: environments FOLDER [rounds] [seconds]\n");
        return 2;
    }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++)
            run_setup(&setups[i], argv[1], round, seconds);
    print(setups, count, rounds);
    return 0;
}
