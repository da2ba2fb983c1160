#include "mpi/agreement.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "core/format.h"

namespace bankai::mpi {
namespace {

// The bytes come from our own program on another rank, so a wrong form is our own mistake.
template <typename T>
T written(Result<T> result) {
  BANKAI_CHECK(result.ok(), "not the bytes of a status");
  return std::move(result).value();
}

bool same_error(const Status& a, const Status& b) {
  return !a.ok() && !b.ok() && a.error().code == b.error().code &&
         a.error().message == b.error().message;
}

}  // namespace

Status agree(Communicator& communicator, const Status& mine) {
  ByteWriter writer;
  write_status(writer, mine);
  std::vector<Status> statuses;
  for (const std::vector<std::byte>& bytes : communicator.all_gather(writer.bytes())) {
    ByteReader reader(bytes);
    statuses.push_back(read_status(reader));
  }
  for (std::size_t rank = 0; rank < statuses.size(); ++rank)
    if (!statuses[rank].ok()) return error_of_rank(statuses, rank);
  return {};
}

Status all_equal(Communicator& communicator, std::span<const std::byte> value, const char* what) {
  const std::vector<std::vector<std::byte>> values = communicator.all_gather(value);
  for (std::size_t rank = 1; rank < values.size(); ++rank)
    if (values[rank] != values[0])
      return make_error(ErrorCode::kMismatch, "rank %zu has another %s than rank 0", rank, what);
  return {};
}

Error error_of_rank(std::span<const Status> statuses, std::size_t rank) {
  const Status& status = statuses[rank];
  const bool everywhere = std::all_of(statuses.begin(), statuses.end(), [&](const Status& other) {
    return same_error(other, status);
  });
  return everywhere ? status.error() : with_context(status.error(), format("rank %zu", rank));
}

void write_status(ByteWriter& writer, const Status& status) {
  writer.write(status.ok() ? std::uint8_t{0} : static_cast<std::uint8_t>(status.error().code));
  if (status.ok()) return;
  writer.write(std::uint64_t{status.error().message.size()});
  writer.write_text(status.error().message);
}

Status read_status(ByteReader& reader) {
  const auto code = written(reader.read<std::uint8_t>("code"));
  if (code == 0) return {};
  const auto length = written(reader.read<std::uint64_t>("length"));
  const auto text = written(reader.read_bytes(length, "message"));
  std::string message(text.size(), '\0');
  std::transform(text.begin(), text.end(), message.begin(),
                 [](std::byte byte) { return static_cast<char>(byte); });
  return Error{static_cast<ErrorCode>(code), std::move(message)};
}

}  // namespace bankai::mpi
