/* faiss.cpp: four of faiss's indexes, by their names for its index_factory (PEER_VARIANT says which). RFlat rescores candidates by their
 * float32 values. A transform that takes the mean away keeps distances, not inner products, so there L2 of unit rows and queries is used. */
#include <faiss/AutoTune.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "lookup.h"

namespace {

constexpr double ef_construction = 200;

struct kind {
    const char *variant;
    const char *key; /* of index_factory; %u: the number of lists */
    faiss::MetricType metric;
    bool lists;
    bool rescores;
    const char *summary;
};

constexpr kind kinds[] = {
    {"faiss_hnsw32", "HNSW32", faiss::METRIC_INNER_PRODUCT, false, false, "one lookup: faiss HNSW32, efConstruction 200"},
    {"faiss_hnsw32_sq8", "HNSW32_SQ8,RFlat", faiss::METRIC_INNER_PRODUCT, false, true,
     "one lookup: faiss HNSW32_SQ8,RFlat, efConstruction 200"},
    {"faiss_ivf_sq8", "IVF%u,SQ8,RFlat", faiss::METRIC_INNER_PRODUCT, true, true, "one lookup: faiss IVF,SQ8,RFlat, 4 sqrt(n) lists"},
    {"faiss_pca64_ivf_sq8", "PCA64,IVF%u,SQ8,RFlat", faiss::METRIC_L2, true, true,
     "one lookup: faiss PCA64,IVF,SQ8,RFlat, 4 sqrt(n) lists"},
};

const kind &chosen_kind() {
    for (const kind &one : kinds) {
        if (std::strcmp(one.variant, PEER_VARIANT) == 0) {
            return one;
        }
    }
    throw std::logic_error("no such index");
}

struct memory_reader final : faiss::IOReader {
    const char *next;
    std::size_t left;
    memory_reader(const void *bytes, std::size_t size) : next(static_cast<const char *>(bytes)), left(size) {}
    std::size_t operator()(void *into, std::size_t size, std::size_t count) override {
        const std::size_t whole = size == 0 ? 0 : std::min(count, left / size);
        std::memcpy(into, next, whole * size);
        next += whole * size;
        left -= whole * size;
        return whole;
    }
};

struct counting_writer final : faiss::IOWriter {
    std::size_t bytes = 0;
    std::size_t operator()(const void *, std::size_t size, std::size_t count) override {
        bytes += size * count;
        return count;
    }
};

class factory_index final : public peer::index {
public:
    /* lists: 0 for a loaded index, which is not tuned again. */
    factory_index(faiss::Index *owned, std::uint32_t lists, std::uint32_t threads)
        : index_(owned), lists_(lists), threads_(static_cast<int>(threads)), unit_(static_cast<std::size_t>(owned->d)) {
        omp_set_num_threads(1); /* of the calling thread, which makes every later call */
    }

    void train(const float *rows, std::size_t count) override {
        omp_set_num_threads(threads_);
        index_->train(static_cast<faiss::idx_t>(count), rows);
        omp_set_num_threads(1);
    }
    void add(const float *rows, std::size_t count) override {
        omp_set_num_threads(threads_);
        index_->add(static_cast<faiss::idx_t>(count), rows);
        omp_set_num_threads(1);
    }
    std::uint32_t least_width(std::uint32_t k) const override { return kind_.lists ? 1 : k; }
    std::uint32_t most_width() const override { return kind_.lists ? lists_ : 1024; }
    std::vector<std::uint32_t> k_factors() const override {
        return kind_.rescores ? std::vector<std::uint32_t>{1, 2, 4} : std::vector<std::uint32_t>{0};
    }
    void set_effort(peer::effort wanted) override {
        const faiss::ParameterSpace space;
        space.set_index_parameter(index_.get(), kind_.lists ? "nprobe" : "efSearch", wanted.width);
        if (kind_.rescores) {
            space.set_index_parameter(index_.get(), "k_factor_rf", wanted.k_factor);
        }
    }
    std::uint32_t search(const float *query, std::uint32_t k, std::uint32_t *found) override {
        float distances[peer::k_most];
        faiss::idx_t labels[peer::k_most];
        if (kind_.metric == faiss::METRIC_L2) {
            peer::make_unit(query, unit_.size(), unit_.data());
            query = unit_.data();
        }
        index_->search(1, query, k, distances, labels);
        std::uint32_t count = 0;
        for (; count < k && labels[count] >= 0; count++) {
            found[count] = static_cast<std::uint32_t>(labels[count]);
        }
        return count;
    }
    void save(const char *path) const override { faiss::write_index(index_.get(), path); }
    std::size_t saved_bytes() const override {
        counting_writer writer;
        faiss::write_index(index_.get(), &writer);
        return writer.bytes;
    }

private:
    const kind &kind_ = chosen_kind();
    std::unique_ptr<faiss::Index> index_;
    std::uint32_t lists_;
    int threads_; /* that build */
    std::vector<float> unit_; /* the query, where its length matters */
};

std::unique_ptr<peer::index> make(std::uint32_t dim, std::size_t capacity, std::uint32_t threads) {
    omp_set_num_threads(1);
    const auto lists = static_cast<std::uint32_t>(4.0 * std::sqrt(static_cast<double>(capacity)));
    char key[64];
    std::snprintf(key, sizeof(key), chosen_kind().key, lists);
    std::unique_ptr<faiss::Index> made(faiss::index_factory(static_cast<int>(dim), key, chosen_kind().metric));
    if (!chosen_kind().lists) {
        faiss::ParameterSpace().set_index_parameter(made.get(), "efConstruction", ef_construction);
    }
    return std::make_unique<factory_index>(made.release(), lists, threads);
}

std::unique_ptr<peer::index> load(std::uint32_t, const void *bytes, std::size_t size) {
    memory_reader reader(bytes, size);
    return std::make_unique<factory_index>(faiss::read_index(&reader), 0, 1);
}

} // namespace

const peer::description peer::described = {"faiss", PEER_VERSION, "-O3 -march=native", PEER_VARIANT, chosen_kind().summary,
                                           "the size of the saved index", make, load};
