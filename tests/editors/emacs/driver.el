;;; driver.el --- runs inside a batch Emacs, in the test's project  -*- lexical-binding: t -*-

;; Loads the documented configuration (variable GUARD_CONFIGURATION), opens app.py and judges what happens.  Exits with 1
;; and a line that starts with FAILED when something is not as expected.

(require 'package)
;; -Q hides the packages of Debian; Emacs 29 and newer have eglot built in.
(add-to-list 'package-directory-list "/usr/share/emacs/site-lisp/elpa")
(package-initialize)

(defconst driver-wait 60)
(defconst driver-began (float-time))

(defun driver-say (&rest arguments)
  (princ (format "[%5d ms] %s\n" (* 1000 (- (float-time) driver-began)) (apply #'format arguments))))

(defun driver-fail (&rest arguments)
  (princ (format "FAILED %s\n" (apply #'format arguments)))
  (kill-emacs 1))

(defun driver-until (what condition)
  (with-timeout (driver-wait (driver-fail "waited in vain for: %s" what))
    (while (not (funcall condition))
      (accept-process-output nil 0.02)))
  (driver-say "%s" what))

(defun driver-has (text)
  (save-excursion (goto-char (point-min)) (search-forward text nil t)))

(defun driver-on-disk (text)
  (with-temp-buffer (insert-file-contents "app.py") (driver-has text)))

(setq make-backup-files nil
      create-lockfiles nil
      ;; A number would be over at the first output, also one to standard error.
      eglot-sync-connect t
      eglot-connect-timeout driver-wait
      eglot-confirm-server-initiated-edits nil)

(load (getenv "GUARD_CONFIGURATION") nil t)
(driver-say "Emacs %s" emacs-version)
(find-file "app.py")
;; In batch mode nothing runs the idle hooks that `eglot-ensure' and flymake wait for.
(unless (eglot-current-server)
  (apply #'eglot (eglot--guess-contact)))
(driver-say "connected to %s" (plist-get (eglot--server-info (eglot-current-server)) :name))
(flymake-mode 1)
(flymake-start)
(driver-until "three diagnostics" (lambda () (= 3 (length (flymake-diagnostics)))))

(dolist (diagnostic (flymake-diagnostics))
  (let ((text (buffer-substring (flymake-diagnostic-beg diagnostic) (flymake-diagnostic-end diagnostic))))
    (driver-say "line %d: %s" (line-number-at-pos (flymake-diagnostic-beg diagnostic)) (flymake-diagnostic-text diagnostic))
    (unless (string-prefix-p "create_engine" text)
      (driver-fail "the range is not that of the call: %s" text))))

;; The preferred quick fix of the first diagnostic, whose line starts with a character of two UTF-16 units.
(goto-char (point-min))
(search-forward "first")
(let* ((diagnostic (car (flymake-diagnostics (line-beginning-position) (line-end-position))))
       (actions (eglot-code-actions (flymake-diagnostic-beg diagnostic) (flymake-diagnostic-end diagnostic) "quickfix" nil))
       (preferred (seq-filter (lambda (action) (eq t (plist-get action :isPreferred))) actions)))
  (unless (= 1 (length preferred))
    (driver-fail "preferred fixes: %S" (mapcar (lambda (action) (plist-get action :title)) actions)))
  ;; Emacs 30 wants to be told why.
  (apply #'eglot--apply-workspace-edit (plist-get (car preferred) :edit)
         (if (= 1 (car (func-arity #'eglot--apply-workspace-edit))) nil '(code-action))))
(unless (driver-has "\"🐍\"; first = create_engine(\"postgresql://localhost/first\", pool_pre_ping=True)")
  (driver-fail "quick fix not in the buffer: %s" (buffer-string)))
(let ((before-save-hook nil)) (save-buffer))
;; Only now: changes are sent when Emacs is idle, which it never is in batch mode, or when it saves.
(driver-until "two diagnostics left" (lambda () (= 2 (length (flymake-diagnostics)))))
(when (driver-on-disk "second\", pool_pre_ping")
  (driver-fail "more was fixed than asked for"))

;; The documented hook fixes the rest when the file is written.
(set-buffer-modified-p t)
(save-buffer)
(unless (driver-on-disk "third\", pool_pre_ping=True)")
  (driver-fail "fix all on save not on disk"))
(driver-say "fix all on save on disk")
(driver-until "no diagnostics left" (lambda () (null (flymake-diagnostics))))
(eglot-shutdown (eglot-current-server))
(princ "PASSED\n")
;;; driver.el ends here
