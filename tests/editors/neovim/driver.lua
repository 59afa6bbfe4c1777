-- Runs inside a headless Neovim that was started with one of the documented configurations, in the test's project.
-- Exits with 1 and a line that starts with FAILED when something is not as expected. Works on Neovim 0.7 and newer.
local uv = vim.uv or vim.loop
local began = uv.hrtime()
local WAIT_MS = 60000

local function say(text)
  io.stdout:write(string.format("[%5d ms] %s\n", (uv.hrtime() - began) / 1e6, text))
end

local function fail(text)
  io.stdout:write("FAILED " .. text .. "\n")
  vim.cmd("cquit 1")
end

local function wait(what, condition)
  if not vim.wait(WAIT_MS, condition, 10) then
    fail("waited in vain for: " .. what)
  end
  say(what)
end

local function line(number)
  return vim.api.nvim_buf_get_lines(0, number, number + 1, false)[1] or ""
end

local function on_disk(text)
  return table.concat(vim.fn.readfile("app.py"), "\n"):find(text, 1, true) ~= nil
end

local function run()
  local version = vim.version()
  say(string.format("Neovim %d.%d.%d", version.major, version.minor, version.patch))
  vim.cmd("edit app.py")
  wait("three diagnostics", function() return #vim.diagnostic.get(0) == 3 end)
  for _, diagnostic in ipairs(vim.diagnostic.get(0)) do
    local text = line(diagnostic.lnum):sub(diagnostic.col + 1, diagnostic.end_col)
    say(string.format("%d: %s %s [%s]", diagnostic.lnum + 1, diagnostic.code, diagnostic.message, text))
    if diagnostic.code ~= "SAG101" then fail("not the expected rule") end
    if not text:find("^create_engine") then fail("the range is not that of the call: " .. text) end
  end

  -- The preferred quick fix of the first diagnostic, whose line starts with a character of two UTF-16 units.
  local first = vim.diagnostic.get(0, { lnum = 2 })[1]
  vim.api.nvim_win_set_cursor(0, { first.lnum + 1, first.col })
  if vim.fn.has("nvim-0.8") == 1 then
    local preferred = function(action) return action.isPreferred end
    vim.lsp.buf.code_action({ context = { only = { "quickfix" } }, filter = preferred, apply = true })
  else
    -- 0.7 does not know preferred fixes: the list is shown, and the best one is at its top.
    vim.ui.select = function(items, _, choose)
      if items[1][2].title ~= "Add `pool_pre_ping=True`" then
        fail("not the fix but: " .. items[1][2].title)
      end
      choose(items[1], 1)
    end
    vim.lsp.buf.code_action({ only = { "quickfix" } })
  end
  wait("quick fix in the buffer", function() return line(2):find('first", pool_pre_ping=True)', 1, true) ~= nil end)
  wait("two diagnostics left", function() return #vim.diagnostic.get(0) == 2 end)
  vim.cmd("noautocmd write")
  if not on_disk('"🐍"; first = create_engine("postgresql://localhost/first", pool_pre_ping=True)') then
    fail("quick fix not on disk")
  end
  if on_disk('second", pool_pre_ping') then fail("more was fixed than asked for") end

  -- The documented autocommand fixes the rest when the file is written.
  vim.cmd("write")
  if not on_disk('third", pool_pre_ping=True)') then fail("fix all on save not on disk") end
  say("fix all on save on disk")
  wait("no diagnostics left", function() return #vim.diagnostic.get(0) == 0 end)
  io.stdout:write("PASSED\n")
  vim.cmd("qall!")
end

local ok, problem = xpcall(run, debug.traceback)
if not ok then fail(problem) end
