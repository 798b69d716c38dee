/* usearch.cpp: USearch with NumKong's distances, connectivity 16, expansion_add 200, inner product of unit rows, stored as f32, f16 or i8
 * (PEER_SCALAR). It does not rescore: what the stored type finds is the answer. */
#include <usearch/index_dense.hpp>

#include <cstring>
#include <stdexcept>

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
    graph(std::uint32_t dim, std::size_t capacity) : dim_(dim) {
        index_dense_config_t config;
        config.connectivity = connectivity;
        config.connectivity_base = 2 * connectivity;
        config.expansion_add = expansion_add;
        auto made = index_dense_t::make(metric_punned_t(dim, metric_kind_t::ip_k, scalar_kind_t::PEER_SCALAR), config,
                                        default_free_value<index_dense_t::vector_key_t>(), index_limits_t(capacity, 1));
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
        for (std::size_t i = 0; i < count; i++) {
            require(graph_.add(graph_.size(), rows + i * dim_, 0));
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
    index_dense_t graph_;
};

std::unique_ptr<peer::index> make(std::uint32_t dim, std::size_t capacity) {
    return std::make_unique<graph>(dim, capacity);
}

std::unique_ptr<peer::index> load(std::uint32_t dim, const void *bytes, std::size_t size) {
    auto made = std::make_unique<graph>(dim, 0);
    made->load(bytes, size);
    return made;
}

} // namespace

const peer::description peer::described = {
    "USearch", PEER_VERSION, "-O3 -march=native", PEER_VARIANT,
    "one lookup: USearch, " TEXT(PEER_SCALAR) ", connectivity 16, expansion_add 200", "its memory_usage()", make, load};
