#include "packer/hf_pieces.h"

#include <charconv>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "core/format.h"
#include "core/mapped_file.h"
#include "model/piece_file.h"
#include "model/vocabulary.h"
#include "packer/json_tree.h"

namespace bankai::packer {
namespace {

using model::PieceFile;
using model::TokenType;

// What readers of GGUF give to tokens that are not merged.
constexpr float kAddedScore = -1000.0F;

std::string path_of(const std::string& folder, const char* name) {
  return (std::filesystem::path(folder) / name).string();
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// GGUF has a key for the space in front of a text, and readers that know no other rule.
Status check_rules(const std::string& path, const PieceFile& file) {
  const struct {
    bool is_refused;
    const char* what;
  } rules[] = {{!file.is_bpe, "its pieces are not merged by score (it is no BPE)"},
               {!file.character_map.empty(), "it normalises characters"},
               {file.removes_spaces, "it removes spaces"},
               {!file.escapes_spaces || file.space_is_suffix, "it writes spaces in another way"}};
  for (const auto& [is_refused, what] : rules)
    if (is_refused)
      return make_error(ErrorCode::kUnsupported, "%s: %s, which GGUF's form cannot say",
                        path.c_str(), what);
  return {};
}

struct Added {
  std::uint64_t id = 0;
  std::string text;
  TokenType type = TokenType::kUserDefined;
};

// {"text": id, …}
Status read_added_tokens(const std::string& path, std::vector<Added>& added) {
  if (!exists(path)) return {};
  BANKAI_ASSIGN_OR_RETURN(const JsonTree tree, JsonTree::read(path));
  BANKAI_ASSIGN_OR_RETURN(const auto members, tree.members());
  for (const auto& [text, value] : members) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t id, value.whole_number());
    added.push_back({id, text});
  }
  return {};
}

// "added_tokens_decoder": {"id": {"content": text, "special": …}, …}
Status read_decoder(const std::string& path, std::vector<Added>& added) {
  if (!exists(path)) return {};
  BANKAI_ASSIGN_OR_RETURN(const JsonTree tree, JsonTree::read(path));
  const auto decoder = tree.find("added_tokens_decoder");
  if (!decoder) return {};
  BANKAI_ASSIGN_OR_RETURN(const auto members, decoder->members());
  for (const auto& [name, value] : members) {
    Added token;
    const char* const end = name.data() + name.size();
    if (const auto parsed = std::from_chars(name.data(), end, token.id);
        parsed.ec != std::errc{} || parsed.ptr != end)
      return make_error(ErrorCode::kBadInput, "%s: the name is no number", value.where().c_str());
    BANKAI_ASSIGN_OR_RETURN(token.text, value.text_of("content", ""));
    BANKAI_ASSIGN_OR_RETURN(const bool special, value.truth_of("special", false));
    if (special) token.type = TokenType::kControl;
    added.push_back(std::move(token));
  }
  return {};
}

// Those behind the pieces get a row; others have to repeat a piece, and any may come twice.
Status add_tokens(const std::string& path, const std::vector<Added>& added, std::size_t num_pieces,
                  HfTokenizer& out) {
  std::set<std::uint64_t> taken;
  for (const Added& token : added) {
    if (token.id >= out.tokens.size())
      return make_error(ErrorCode::kBadInput,
                        "%s: token %s has the id %llu, but the embedding has only %zu rows",
                        path.c_str(), bankai::quoted(token.text).c_str(),
                        static_cast<unsigned long long>(token.id), out.tokens.size());
    std::string& text = out.tokens[static_cast<std::size_t>(token.id)];
    const bool is_piece = token.id < num_pieces;
    if ((is_piece || !taken.insert(token.id).second) && text != token.text)
      return make_error(ErrorCode::kBadInput, "%s: the tokens %s and %s both have the id %llu",
                        path.c_str(), bankai::quoted(text).c_str(),
                        bankai::quoted(token.text).c_str(),
                        static_cast<unsigned long long>(token.id));
    if (is_piece) continue;
    text = token.text;
    out.types[static_cast<std::size_t>(token.id)] = static_cast<std::int32_t>(token.type);
  }
  return {};
}

}  // namespace

bool has_hf_pieces(const std::string& folder) {
  const auto bytes = read_file(path_of(folder, "tokenizer.model"));
  // A list of pieces comes first. Others keep texts of tokens and numbers under that name.
  return bytes.ok() && bytes->starts_with('\n');
}

Result<HfTokenizer> read_hf_pieces(const std::string& folder, std::uint64_t vocabulary) {
  const std::string path = path_of(folder, "tokenizer.model");
  BANKAI_ASSIGN_OR_RETURN(const std::string bytes, read_file(path));
  auto read = model::read_piece_file(bytes);
  if (!read.ok()) return with_context(std::move(read).error(), path);
  const PieceFile& file = *read;
  BANKAI_RETURN_IF_ERROR(check_rules(path, file));
  const std::size_t size = file.pieces.size();
  if (size > vocabulary)
    return make_error(ErrorCode::kBadInput, "%s: %zu pieces, but the embedding has only %llu rows",
                      path.c_str(), size, static_cast<unsigned long long>(vocabulary));
  HfTokenizer out;
  for (const PieceFile::Piece& piece : file.pieces) {
    out.tokens.emplace_back(piece.text);
    out.types.push_back(static_cast<std::int32_t>(piece.type));
    out.scores.push_back(piece.score);
  }
  for (std::uint64_t id = size; id < vocabulary; ++id)
    out.tokens.push_back("[PAD" + std::to_string(id) + "]");
  out.types.resize(out.tokens.size(), static_cast<std::int32_t>(TokenType::kUnused));
  out.scores.resize(out.tokens.size(), kAddedScore);
  std::vector<Added> added;
  BANKAI_RETURN_IF_ERROR(read_added_tokens(path_of(folder, "added_tokens.json"), added));
  BANKAI_RETURN_IF_ERROR(read_decoder(path_of(folder, "tokenizer_config.json"), added));
  BANKAI_RETURN_IF_ERROR(add_tokens(path, added, size, out));
  out.adds_space = file.adds_space;
  out.adds_bos = true;
  out.unknown = file.unknown;
  out.bos = file.bos;
  out.eos = file.eos;
  out.padding = file.padding;
  return out;
}

}  // namespace bankai::packer
