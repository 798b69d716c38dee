/* lookup.cpp: the kernel `concept_lookup_at_recall` of a peer (lookup.h): built and tuned once by prepare, loaded from memory by setup. One
 * operation is one query vector as the user gives it. The queries take turns in the order of libdualmem's own lookup kernels. */
#include "lookup.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>
#include <sched.h>
#include <stdexcept>
#include <time.h>

#include "dualmem/dm_kernel.h"
#include "tune.h"

namespace peer {

void make_unit(const float *row, std::size_t dim, float *unit) {
    double squared = 0.0;
    for (std::size_t i = 0; i < dim; i++) {
        squared += static_cast<double>(row[i]) * row[i];
    }
    const double inverse = squared < 0x1p-126 ? 0.0 : 1.0 / std::sqrt(squared);
    for (std::size_t i = 0; i < dim; i++) {
        unit[i] = static_cast<float>(row[i] * inverse);
    }
}

} // namespace peer

namespace {

using peer::described;

enum { parameter_k, parameter_concepts, parameter_recall, parameter_threads, parameter_count };

/* --- building ----------------------------------------------------------------------------------------------------------- */

/* Of the process: waiting for a processor does not count. What a second thread is worth the elapsed time alone tells. */
struct seconds {
    double processor;
    double elapsed;
};

/* What prepare writes behind the library's own file. */
struct trailer {
    std::uint64_t magic;
    peer::effort chosen;
    seconds build;
};
constexpr std::uint64_t magic = 0x32706b6c70656572; /* "reeplkp2" */

struct tuned_index {
    std::unique_ptr<peer::index> index;
    trailer tail;
};

std::uint32_t concepts_of(const dm_case &work) {
    const auto asked = static_cast<std::uint64_t>(work.parameters[parameter_concepts]);
    const std::uint64_t concepts = asked == 0 ? work.data.rows : asked;
    if (concepts > work.data.rows || concepts > UINT32_MAX || static_cast<double>(concepts) < work.parameters[parameter_k]) {
        throw std::invalid_argument("`concepts` is more than the data has, or fewer than k; change one of them");
    }
    if (work.queries.rows == 0 || work.queries.rows > UINT32_MAX || work.queries.columns != work.data.columns) {
        throw std::invalid_argument("the queries are not as wide as the data, or there are none; give others");
    }
    return static_cast<std::uint32_t>(concepts);
}

double read_clock(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/* A thread that is pinned begins others with its mask: not while several shall build. */
class unpinned {
public:
    explicit unpinned(bool wanted) : known_(wanted && sched_getaffinity(0, sizeof(ours_), &ours_) == 0) {
        cpu_set_t every;
        std::memset(&every, 0xff, sizeof(every)); /* the kernel takes those that the process may have */
        known_ = known_ && sched_setaffinity(0, sizeof(every), &every) == 0;
    }
    ~unpinned() {
        if (known_) {
            (void)sched_setaffinity(0, sizeof(ours_), &ours_);
        }
    }
    unpinned(const unpinned &) = delete;
    unpinned &operator=(const unpinned &) = delete;

private:
    cpu_set_t ours_{};
    bool known_;
};

/* Adds to `total` what the work of so many threads takes. */
template <class Work> void take_time(seconds &total, std::uint32_t threads, Work work) {
    const unpinned freed(threads > 1);
    const seconds begin{read_clock(CLOCK_PROCESS_CPUTIME_ID), read_clock(CLOCK_MONOTONIC)};
    work();
    total.processor += read_clock(CLOCK_PROCESS_CPUTIME_ID) - begin.processor;
    total.elapsed += read_clock(CLOCK_MONOTONIC) - begin.elapsed;
}

tuned_index build(const dm_case &work) {
    const std::size_t dim = work.data.columns;
    const peer::split divided = peer::hold_out(concepts_of(work));
    const std::size_t count = divided.rows.size();
    std::vector<float> values(count * dim);
    for (std::size_t i = 0; i < count; i++) {
        peer::make_unit(work.data.values + divided.rows[i] * work.data.stride, dim, &values[i * dim]);
    }
    const auto threads = static_cast<std::uint32_t>(work.parameters[parameter_threads]);
    const auto k = static_cast<std::uint32_t>(work.parameters[parameter_k]);
    tuned_index made{nullptr, {magic, {}, {}}};
    take_time(made.tail.build, threads, [&] {
        made.index = described.make(static_cast<std::uint32_t>(dim), count, threads);
        made.index->train(values.data(), divided.kept);
        made.index->add(values.data(), divided.kept);
    });
    made.tail.chosen = peer::tune(*made.index, values.data(), divided, dim, k, work.parameters[parameter_recall]);
    take_time(made.tail.build, threads,
              [&] { made.index->add(values.data() + divided.kept * dim, count - divided.kept); });
    return made;
}

void append(const char *path, const trailer &tail) {
    std::FILE *file = std::fopen(path, "ab");
    const bool written = file != nullptr && std::fwrite(&tail, sizeof(tail), 1, file) == 1;
    if ((file != nullptr && std::fclose(file) != 0) || !written) {
        throw std::runtime_error("the effort cannot be written behind the index; look at the disk");
    }
}

tuned_index load(const dm_case &work) {
    tuned_index made{};
    if (work.prepared_size < sizeof(trailer)) {
        throw std::runtime_error("the prepared file is cut off; clear dualmem's cache");
    }
    const std::size_t size = work.prepared_size - sizeof(trailer);
    std::memcpy(&made.tail, static_cast<const char *>(work.prepared) + size, sizeof(trailer));
    if (made.tail.magic != magic) {
        throw std::runtime_error("the prepared file is not this peer's; clear dualmem's cache");
    }
    made.index = described.load(static_cast<std::uint32_t>(work.data.columns), work.prepared, size);
    return made;
}

/* Runs `work` and turns what it throws into a status and a sentence. */
template <class Work> std::int32_t attempt(char *error, std::size_t error_size, Work work) {
    try {
        work();
        return DM_OK;
    } catch (const std::bad_alloc &) {
        std::snprintf(error, error_size, "no memory for an index of %s; use less data", described.library);
        return DM_ERROR_MEMORY;
    } catch (const std::invalid_argument &refusal) {
        std::snprintf(error, error_size, "%s", refusal.what());
        return DM_ERROR_ARGUMENT;
    } catch (const std::exception &failure) {
        std::snprintf(error, error_size, "%s: %s", described.library, failure.what());
        return DM_ERROR_IO;
    }
}

std::int32_t prepare(const dm_case *work, const char *path, char *error, std::size_t error_size) {
    return attempt(error, error_size, [&] {
        const tuned_index made = build(*work);
        made.index->save(path);
        append(path, made.tail);
    });
}

} // namespace

/* --- searching ------------------------------------------------------------------------------------------------------------ */

struct dm_state {
    explicit dm_state(const dm_case &work)
        : k(static_cast<std::uint32_t>(work.parameters[parameter_k])), queries(work.queries),
          rows(peer::hold_out(concepts_of(work)).rows), order(queries.rows), neighbours(queries.rows * k, UINT32_MAX),
          used(work.prepared != nullptr ? load(work) : build(work)) {
        dm_stored_case_shuffle(order.data(), static_cast<std::uint32_t>(order.size()), work.seed);
        used.index->set_effort(used.tail.chosen);
    }

    std::uint32_t take_query() {
        const std::uint32_t query = order[next];
        next = next + 1 < order.size() ? next + 1 : 0;
        return query;
    }

    std::uint64_t look_up(std::uint32_t query, std::uint64_t checksum) {
        std::uint32_t found[peer::k_most];
        std::uint32_t *mine = &neighbours[static_cast<std::size_t>(query) * k];
        const std::uint32_t count = used.index->search(queries.values + query * queries.stride, k, found);
        for (std::uint32_t i = 0; i < count; i++) {
            mine[i] = rows[found[i]];
            checksum = (checksum ^ mine[i]) * 0x100000001b3u; /* FNV-1a, a row number at a time */
        }
        return checksum;
    }

    std::uint32_t k;
    dm_matrix queries;
    std::vector<std::uint32_t> rows; /* of the data, in the order of the index */
    std::vector<std::uint32_t> order;
    std::size_t next = 0;
    std::vector<std::uint32_t> neighbours; /* queries x k; UINT32_MAX: not found */
    tuned_index used;
};

namespace {

constexpr std::uint64_t checksum_begin = 0xcbf29ce484222325u;

std::int32_t setup(const dm_case *work, dm_state **state, char *error, std::size_t error_size) {
    *state = nullptr;
    return attempt(error, error_size, [&] { *state = new dm_state(*work); });
}

void teardown(dm_state *state) {
    delete state;
}

std::uint64_t run(dm_state *state, std::uint64_t iterations) {
    std::uint64_t checksum = checksum_begin;
    for (std::uint64_t i = 0; i < iterations; i++) {
        checksum = state->look_up(state->take_query(), checksum);
    }
    return checksum;
}

std::uint64_t run_each(dm_state *state, std::uint64_t iterations, dm_recorder *recorder) {
    std::uint64_t checksum = checksum_begin;
    for (std::uint64_t i = 0; i < iterations; i++) {
        const std::uint32_t query = state->take_query();
        const std::uint64_t begin = recorder->now();
        checksum = state->look_up(query, checksum);
        recorder->record(recorder, query, recorder->now() - begin);
    }
    return checksum;
}

std::int32_t read_output(dm_state *state, double *values, std::size_t count, std::size_t *needed) {
    *needed = state->neighbours.size();
    for (std::size_t i = 0; i < count && i < *needed; i++) {
        values[i] = state->neighbours[i];
    }
    return DM_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

enum : std::size_t { metric_population, metric_memory, metric_index_bytes, metric_effort, metric_rescored, metric_build, metric_elapsed, metric_count };

std::int32_t read_metrics(dm_state *state, double *values, std::size_t count) {
    const peer::index &index = *state->used.index;
    const double population = static_cast<double>(state->rows.size());
    double all[metric_count];
    all[metric_population] = population;
    all[metric_memory] = static_cast<double>(index.memory_bytes());
    all[metric_index_bytes] = static_cast<double>(index.saved_bytes()) / population;
    all[metric_effort] = static_cast<double>(state->used.tail.chosen.width);
    all[metric_rescored] = static_cast<double>(state->used.tail.chosen.k_factor);
    all[metric_build] = state->used.tail.build.processor;
    all[metric_elapsed] = state->used.tail.build.elapsed;
    std::memcpy(values, all, (count < metric_count ? count : metric_count) * sizeof(double));
    return DM_OK;
}

const dm_parameter parameters[parameter_count] = {
    {sizeof(dm_parameter), "k", 10, 1, peer::k_most, 1, "neighbours per query"},
    {sizeof(dm_parameter), "concepts", 0, 0, 100000000, 1, "rows of the data stored; 0: all"},
    {sizeof(dm_parameter), "recall", 0.95, 0, 1, 0, "share of the true k nearest that the search shall find"},
    {sizeof(dm_parameter), "threads", 1, 1, 64, 1, "threads that build the index, as the library divides the work"},
};

/* Made when the table is asked for: `described` is another file's. */
dm_kernel make_kernel() {
    static const dm_metric metrics[metric_count] = {
        {sizeof(dm_metric), "population", "count", DM_BETTER_NEITHER, DM_SCOPE_CASE, "rows in the index"},
        {sizeof(dm_metric), "memory_bytes", "B", DM_BETTER_LOWER, DM_SCOPE_CASE, described.memory_meaning},
        {sizeof(dm_metric), "index_bytes_per_concept", "B", DM_BETTER_LOWER, DM_SCOPE_CASE,
         "of the file that the library saves, vectors included"},
        {sizeof(dm_metric), "effort", "count", DM_BETTER_NEITHER, DM_SCOPE_MACHINE,
         "candidates kept (ef) or lists visited (nprobe), as tuned"},
        {sizeof(dm_metric), "rescored_per_neighbour", "count", DM_BETTER_NEITHER, DM_SCOPE_MACHINE,
         "candidates rescored by float32 for each neighbour wanted, as tuned; 0: the library does not"},
        {sizeof(dm_metric), "build_seconds", "s", DM_BETTER_LOWER, DM_SCOPE_MACHINE,
         "building, without tuning and saving, processor time of all threads"},
        {sizeof(dm_metric), "build_elapsed_seconds", "s", DM_BETTER_LOWER, DM_SCOPE_MACHINE,
         "building, without tuning and saving, from begin to end"},
    };
    dm_kernel kernel{};
    kernel.size = sizeof(kernel);
    kernel.name = "concept_lookup_at_recall";
    kernel.variant = described.variant;
    kernel.summary = described.summary;
    kernel.tolerance = 0.0;
    kernel.output = DM_OUTPUT_NEIGHBOURS;
    kernel.needs_data = 1;
    kernel.parameters = parameters;
    kernel.parameter_count = parameter_count;
    kernel.metrics = metrics;
    kernel.metric_count = metric_count;
    kernel.prepare = prepare;
    kernel.setup = setup;
    kernel.run = run;
    kernel.run_each = run_each;
    kernel.read_metrics = read_metrics;
    kernel.read_output = read_output;
    kernel.teardown = teardown;
    return kernel;
}

} // namespace

extern "C" const dm_library *dm_library_get(void) {
    static const dm_kernel kernel = make_kernel();
    static const dm_kernel *const kernels[] = {&kernel};
    static const dm_library library = {sizeof(dm_library), DM_ABI_MAJOR, DM_ABI_MINOR, described.library, described.version,
                                       __VERSION__, described.flags, "", kernels, 1};
    return &library;
}
