# bankai_version_text(OUT): "0.1.0 (abc1234)", with the commit of the source tree, or "0.1.0" outside git.
# A new commit makes the next build configure again, so the text stays true.
function(bankai_version_text out)
  set(text ${PROJECT_VERSION})
  find_package(Git QUIET)
  if(GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --git-path logs/HEAD --show-toplevel --short=7 HEAD
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE answer RESULT_VARIABLE failed
      ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE "\n" ";" answer "${answer}")
    list(LENGTH answer num_lines)
    # A repository further up, around an unpacked archive of ours, is not ours.
    if(NOT failed AND num_lines EQUAL 3)
      list(POP_FRONT answer log toplevel commit)
      get_filename_component(log ${log} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
      file(REAL_PATH ${PROJECT_SOURCE_DIR} source)
      if(toplevel STREQUAL source)
        string(APPEND text " (${commit})")
        if(EXISTS ${log})
          set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${log})
        endif()
      endif()
    endif()
  endif()
  set(${out} ${text} PARENT_SCOPE)
endfunction()
