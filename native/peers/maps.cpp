/* maps.cpp: hash maps in the place of the store: fans and bindings by id, as a program without libdualmem would keep them.
 *
 * `boost_concurrent`  boost::concurrent_flat_map: safe beside other threads, as the store is. The peer proper.
 * `boost_flat`        boost::unordered_flat_map: the same table without locks, and so not safe: a floor.
 * `std_sharded`       64 std::unordered_map, each behind a mutex: what one writes without a library.
 *
 * Fans: id -> fan, for concepts and episodes. Bindings: (episode, concept) -> strength, so that an update is one look-up and not three.
 * Ids, fans, strengths and the order of the visits are those of native/kernels/workload.c, written out again; the checksums are
 * the proof, because all of them must be equal. */
#include <boost/unordered/concurrent_flat_map.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/version.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "dualmem/dm_kernel.h"

struct dm_state {
    virtual ~dm_state() = default;
    virtual std::uint64_t run(std::uint64_t iterations) = 0;
};

namespace {

/* --- keys ------------------------------------------------------------------------------------------------------------- */

struct id {
    std::uint64_t low;
    std::uint64_t high;
    bool operator==(const id &other) const { return low == other.low && high == other.high; }
};

struct id_pair {
    id episode;
    id concept_id;
    bool operator==(const id_pair &other) const { return episode == other.episode && concept_id == other.concept_id; }
};

/* The two halves of a 128-bit product, as wyhash folds them: one multiplication, every bit of the key matters. */
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct hash {
    using is_avalanching = void; /* Boost mixes again otherwise */
    std::size_t operator()(const id &key) const {
        return fold(key.low ^ 0x9e3779b97f4a7c15u, key.high ^ 0xd1342543de82ef95u);
    }
    std::size_t operator()(const id_pair &key) const { return fold((*this)(key.episode), (*this)(key.concept_id) | 1u); }
};

/* --- maps -------------------------------------------------------------------------------------------------------------- */

/* Each has: insert(key, value), and visit(key, f), which calls f(value&) if the key is there and says whether it was. */
template <class Key, class Value> struct boost_concurrent {
    boost::concurrent_flat_map<Key, Value, hash> map;
    void reserve(std::size_t count) { map.reserve(count); }
    void insert(const Key &key, Value value) { map.emplace(key, value); }
    template <class F> bool visit(const Key &key, F f) {
        return map.visit(key, [&](auto &entry) { f(entry.second); }) != 0;
    }
    template <class F> bool look(const Key &key, F f) {
        return map.cvisit(key, [&](const auto &entry) { f(entry.second); }) != 0;
    }
};

template <class Key, class Value> struct boost_flat {
    boost::unordered_flat_map<Key, Value, hash> map;
    void reserve(std::size_t count) { map.reserve(count); }
    void insert(const Key &key, Value value) { map.emplace(key, value); }
    template <class F> bool visit(const Key &key, F f) {
        const auto found = map.find(key);
        if (found == map.end()) {
            return false;
        }
        f(found->second);
        return true;
    }
    template <class F> bool look(const Key &key, F f) { return visit(key, f); }
};

template <class Key, class Value> struct std_sharded {
    static constexpr std::size_t shards = 64;
    struct alignas(64) shard {
        std::mutex lock;
        std::unordered_map<Key, Value, hash> map;
    };
    std::array<shard, shards> all;
    void reserve(std::size_t count) {
        for (shard &one : all) {
            one.map.reserve(count / shards + 1);
        }
    }
    shard &of(const Key &key) { return all[hash{}(key) >> 58]; }
    void insert(const Key &key, Value value) { of(key).map.emplace(key, value); }
    template <class F> bool visit(const Key &key, F f) {
        shard &one = of(key);
        const std::lock_guard<std::mutex> held(one.lock);
        const auto found = one.map.find(key);
        if (found == one.map.end()) {
            return false;
        }
        f(found->second);
        return true;
    }
    template <class F> bool look(const Key &key, F f) { return visit(key, f); }
};

/* --- the workload --------------------------------------------------------------------------------------------------------- */

constexpr std::uint64_t sequence_min = 4096, sequence_max = 1u << 22, synthetic_dim = 16;

std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

struct workload {
    std::uint32_t concepts;
    std::uint32_t episodes;
    std::uint32_t fan;
    std::uint64_t random;
    std::uint64_t cursor = 0;
    std::vector<std::uint32_t> sequence{};

    explicit workload(const dm_case &work)
        : concepts(static_cast<std::uint32_t>(work.parameters[0])), episodes(0),
          fan(static_cast<std::uint32_t>(work.parameters[1])), random(work.seed) {
        episodes = concepts > fan ? concepts : fan;
        if (work.data.values == nullptr) { /* components of embeddings were drawn first */
            random += 0x9e3779b97f4a7c15u * synthetic_dim * (std::uint64_t{concepts} + episodes);
        }
    }
    std::uint64_t draw(std::uint64_t bound) {
        random += 0x9e3779b97f4a7c15u;
        return mix(random) % bound;
    }
    float draw_strength() { return 0.25f + static_cast<float>(draw(512)) / 1024.0f; }
    std::uint32_t fan_of(std::uint32_t concept_number, bool varied) const {
        return varied ? 1 + static_cast<std::uint32_t>(mix(concept_number + std::uint64_t{1}) % fan) : fan;
    }
    std::uint32_t partner(std::uint32_t concept_number, std::uint32_t j) const {
        return static_cast<std::uint32_t>((mix(concept_number) % episodes + j) % episodes);
    }
    void make_sequence(std::uint64_t count) {
        std::uint64_t length = sequence_min;
        while (length < 2 * count && length < sequence_max) {
            length *= 2;
        }
        sequence.resize(length);
        for (std::uint64_t begin = 0; begin < length; begin += count) {
            std::uint32_t *round = sequence.data() + begin;
            const std::uint64_t entries = length - begin < count ? length - begin : count;
            for (std::uint64_t i = 0; i < entries; i++) {
                if (count > length) {
                    round[i] = static_cast<std::uint32_t>(draw(count));
                    continue;
                }
                const std::uint64_t other = draw(i + 1);
                round[i] = round[other];
                round[other] = static_cast<std::uint32_t>(i);
            }
        }
    }
};

id id_of(std::uint64_t number) {
    return {number + 0x2545f4914f6cdd1du, 0x9fb21c651e98df25u};
}

/* --- the kernels ------------------------------------------------------------------------------------------------------------ */

template <template <class, class> class Map> struct fans final : dm_state {
    workload work;
    Map<id, std::uint32_t> map{};

    explicit fans(const dm_case &given) : work(given) {
        std::vector<std::uint32_t> of_episode(work.episodes);
        map.reserve(std::size_t{work.concepts} + work.episodes);
        for (std::uint32_t c = 0; c < work.concepts; c++) {
            const std::uint32_t fan = work.fan_of(c, true);
            map.insert(id_of(c), fan);
            for (std::uint32_t j = 0; j < fan; j++) {
                (void)work.draw_strength(); /* fans alone are kept, but strengths were drawn */
                of_episode[work.partner(c, j)]++;
            }
        }
        for (std::uint32_t e = 0; e < work.episodes; e++) {
            map.insert(id_of(std::uint64_t{work.concepts} + e), of_episode[e]);
        }
        work.make_sequence(work.concepts);
    }

    std::uint64_t run(std::uint64_t iterations) override {
        const std::uint64_t mask = work.sequence.size() - 1;
        const std::uint32_t *numbers = work.sequence.data();
        std::uint64_t checksum = 0, missing = 0;
        for (std::uint64_t end = work.cursor + iterations; work.cursor < end; work.cursor++) {
            std::uint32_t fan = 0;
            missing += !map.look(id_of(numbers[work.cursor & mask]), [&](std::uint32_t value) { fan = value; });
            checksum += fan;
        }
        return checksum + (missing << 32);
    }
};

/* clamp to [0, 1], as the store does it: adding and taking away in turn does not drift. */
float strengthened(float strength, float delta) {
    const float sum = strength + delta;
    return sum < 0.0f ? 0.0f : sum > 1.0f ? 1.0f : sum;
}

template <template <class, class> class Map> struct bindings final : dm_state {
    struct visit {
        std::uint32_t episode;
        std::uint32_t concept_number;
    };
    workload work;
    Map<id_pair, float> map{};
    std::vector<visit> visits{};
    float delta = 0.125f;

    explicit bindings(const dm_case &given) : work(given) {
        const std::uint64_t count = std::uint64_t{work.concepts} * work.fan;
        map.reserve(count);
        for (std::uint32_t c = 0; c < work.concepts; c++) {
            for (std::uint32_t j = 0; j < work.fan; j++) {
                map.insert({id_of(std::uint64_t{work.concepts} + work.partner(c, j)), id_of(c)}, work.draw_strength());
            }
        }
        work.make_sequence(count);
        visits.reserve(work.sequence.size());
        for (const std::uint32_t number : work.sequence) {
            const std::uint32_t c = number / work.fan;
            visits.push_back({work.concepts + work.partner(c, number % work.fan), c});
        }
        const std::uint64_t length = work.sequence.size();
        for (std::uint64_t repeats = count > length ? 16 : (length + count - 1) / count; repeats > 1; repeats = (repeats + 1) / 2) {
            delta /= 2.0f;
        }
    }

    std::uint64_t run(std::uint64_t iterations) override {
        const std::uint64_t length = visits.size();
        std::uint64_t checksum = 0;
        for (std::uint64_t end = work.cursor + iterations; work.cursor < end;) {
            const float change = (work.cursor & length) != 0 ? -delta : delta; /* one walk adds, the next takes away */
            const std::uint64_t walk_end = (work.cursor | (length - 1)) + 1;
            for (; work.cursor < (end < walk_end ? end : walk_end); work.cursor++) {
                const visit next = visits[work.cursor & (length - 1)];
                std::uint32_t bits = 0xbf800000u; /* -1: not bound */
                map.visit({id_of(next.episode), id_of(next.concept_number)}, [&](float &strength) {
                    strength = strengthened(strength, change);
                    std::memcpy(&bits, &strength, sizeof bits);
                });
                checksum += bits;
            }
        }
        return checksum;
    }
};

/* --- the table -------------------------------------------------------------------------------------------------------------- */

template <class State> std::int32_t setup(const dm_case *work, dm_state **state, char *error, std::size_t error_size) {
    *state = nullptr;
    try {
        *state = new State(*work);
        return DM_OK;
    } catch (const std::bad_alloc &) {
        std::snprintf(error, error_size, "no memory for a map of %.0f concepts", work->parameters[0]);
        return DM_ERROR_MEMORY;
    }
}

std::uint64_t run(dm_state *state, std::uint64_t iterations) {
    return state->run(iterations);
}

void teardown(dm_state *state) {
    delete state;
}

std::int32_t read_metrics(dm_state *, double *, std::size_t) {
    return DM_OK;
}

std::int32_t read_output(dm_state *, double *, std::size_t, std::size_t *needed) {
    *needed = 0;
    return DM_OK;
}

constexpr dm_parameter parameters[] = {
    {sizeof(dm_parameter), "concepts", 1000, 1, 1e7, 1, "concepts stored, and as many episodes (or `fan` of them if that is more)"},
    {sizeof(dm_parameter), "fan", 8, 1, 256, 1, "most episodes bound to a concept"},
};

template <class State> dm_kernel kernel(const char *name, const char *variant, const char *summary) {
    dm_kernel made{};
    made.size = sizeof made;
    made.name = name;
    made.variant = variant;
    made.summary = summary;
    made.output = DM_OUTPUT_NONE;
    made.parameters = parameters;
    made.parameter_count = sizeof parameters / sizeof parameters[0];
    made.setup = setup<State>;
    made.run = run;
    made.read_metrics = read_metrics;
    made.read_output = read_output;
    made.teardown = teardown;
    return made;
}

const char fan_summary[] = "read the fan of one concept, given its id";
const char binding_summary[] = "strengthen one binding, given the ids of its two nodes";
const dm_kernel table[] = {
    kernel<fans<boost_concurrent>>("fan_by_id", "boost_concurrent", fan_summary),
    kernel<fans<boost_flat>>("fan_by_id", "boost_flat", fan_summary),
    kernel<fans<std_sharded>>("fan_by_id", "std_sharded", fan_summary),
    kernel<bindings<boost_concurrent>>("binding_update_by_id", "boost_concurrent", binding_summary),
    kernel<bindings<boost_flat>>("binding_update_by_id", "boost_flat", binding_summary),
    kernel<bindings<std_sharded>>("binding_update_by_id", "std_sharded", binding_summary),
};
const dm_kernel *const kernels[] = {&table[0], &table[1], &table[2], &table[3], &table[4], &table[5]};

const dm_library library = {sizeof(dm_library), DM_ABI_MAJOR, DM_ABI_MINOR, "hash maps", "Boost " BOOST_LIB_VERSION, "", "", "",
                            kernels, sizeof kernels / sizeof kernels[0]};

} // namespace

const dm_library *dm_library_get(void) {
    return &library;
}
