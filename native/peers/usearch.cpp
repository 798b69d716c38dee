/* usearch.cpp: USearch with NumKong's distances, connectivity 16, expansion_add 200, inner product of unit rows, stored as f32, f16 or i8
 * (PEER_SCALAR). It does not rescore: what the stored type finds is the answer. */
#include <usearch/index_dense.hpp>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "lookup.h"

#define TEXT_OF(word) #word
#define TEXT(word) TEXT_OF(word)

namespace {

using namespace unum::usearch;

constexpr std::size_t connectivity = 16;
constexpr std::size_t expansion_add = 200;

template <class Result> void require(Result &&result) {
    if (!result) {
        throw std::runtime_error(result.error.release());
    }
}

class graph final : public peer::index {
public:
    graph(std::uint32_t dim, std::size_t capacity, std::uint32_t threads) : dim_(dim), threads_(threads) {
        index_dense_config_t config;
        config.connectivity = connectivity;
        config.connectivity_base = 2 * connectivity;
        config.expansion_add = expansion_add;
        auto made = index_dense_t::make(metric_punned_t(dim, metric_kind_t::ip_k, scalar_kind_t::PEER_SCALAR), config,
                                        default_free_value<index_dense_t::vector_key_t>(), index_limits_t(capacity, threads));
        require(made);
        graph_ = std::move(made.index);
    }

    void load(const void *bytes, std::size_t size) {
        const char *next = static_cast<const char *>(bytes);
        const char *end = next + size;
        require(graph_.load_from_stream([&](void *into, std::size_t length) {
            if (length > static_cast<std::size_t>(end - next)) {
                return false;
            }
            std::memcpy(into, next, length);
            next += length;
            return true;
        }));
    }

    void add(const float *rows, std::size_t count) override {
        const std::size_t first = graph_.size();
        std::atomic<std::size_t> next{0};
        std::atomic<bool> failed{false};
        const auto take = [&](std::size_t thread) {
            for (std::size_t i = next++; i < count && !failed; i = next++) {
                auto added = graph_.add(first + i, rows + i * dim_, thread);
                if (!added) {
                    (void)added.error.release(); /* else its destructor throws, in a thread */
                    failed = true;
                }
            }
        };
        std::vector<std::thread> others;
        for (std::uint32_t i = 1; i < threads_; i++) {
            others.emplace_back(take, i);
        }
        take(0);
        for (std::thread &other : others) {
            other.join();
        }
        if (failed) {
            throw std::runtime_error("a row could not be added");
        }
    }
    std::uint32_t least_width(std::uint32_t k) const override { return k; }
    std::uint32_t most_width() const override { return 1024; }
    void set_effort(peer::effort wanted) override { graph_.change_expansion_search(wanted.width); }
    std::uint32_t search(const float *query, std::uint32_t k, std::uint32_t *found) override {
        index_dense_t::vector_key_t keys[peer::k_most];
        const auto result = graph_.search(query, k, 0);
        const std::size_t count = result.dump_to(keys);
        for (std::size_t i = 0; i < count; i++) {
            found[i] = static_cast<std::uint32_t>(keys[i]);
        }
        return static_cast<std::uint32_t>(count);
    }
    void save(const char *path) const override { require(graph_.save(path)); }
    std::size_t saved_bytes() const override { return graph_.serialized_length(); }
    std::size_t memory_bytes() const override { return graph_.memory_usage(); }

private:
    std::size_t dim_;
    std::uint32_t threads_;
    index_dense_t graph_;
};

std::unique_ptr<peer::index> make(std::uint32_t dim, std::size_t capacity, std::uint32_t threads) {
    return std::make_unique<graph>(dim, capacity, threads);
}

std::unique_ptr<peer::index> load(std::uint32_t dim, const void *bytes, std::size_t size) {
    auto made = std::make_unique<graph>(dim, 0, 1);
    made->load(bytes, size);
    return made;
}

} // namespace

const peer::description peer::described = {
    "USearch", PEER_VERSION, "-O3 -march=native", PEER_VARIANT,
    "one lookup: USearch, " TEXT(PEER_SCALAR) ", connectivity 16, expansion_add 200", "its memory_usage()", make, load};
