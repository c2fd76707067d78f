/** A dialog over the page: the browser's own, which keeps the focus inside, closes by Esc and hands the focus back. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon } from './icon';

interface DialogProps {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ComponentChildren;
  /** Whether Esc and the cross close it; not while something must be read or is under way. */
  closable?: boolean;
}

export function Dialog({ title, open, onClose, children, closable = true }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open && !box.current?.open) box.current?.showModal();
    if (!open && box.current?.open) box.current.close();
  }, [open]);
  return (
    <dialog
      ref={box}
      class="dialog"
      aria-labelledby={id}
      onClose={onClose}
      // Esc: browsers heed a refused `cancel` once or twice, and close all the same; older ones do not know `closedby`.
      closedby={closable ? 'closerequest' : 'none'}
      onCancel={(event) => {
        if (!closable) event.preventDefault();
      }}
      onKeyDown={(event) => {
        if (!closable && event.key === 'Escape') event.preventDefault();
      }}
    >
      {open && (
        <>
          <header class="dialog-head">
            <h2 id={id}>{title}</h2>
            {closable && (
              <button
                type="button"
                class="button quiet square"
                aria-label="Close"
                onClick={onClose}
              >
                <Icon name="close" />
              </button>
            )}
          </header>
          {children}
        </>
      )}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  open: boolean;
  /** What the button says: a verb, and what it is done to. */
  action: string;
  onClose: () => void;
  /** Closes when it is done; what fails is for the caller to tell. */
  onConfirm: () => Promise<void>;
  children: ComponentChildren;
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, open, action, onClose, onConfirm, children }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    try {
      await onConfirm();
    } finally {
      setBusy(false);
      onClose();
    }
  };
  return (
    <Dialog title={title} open={open} onClose={onClose} closable={!busy}>
      <div class="dialog-body">{children}</div>
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={onClose} disabled={busy}>
          Cancel
        </button>
        <button type="button" class="button danger" onClick={() => void confirm()} disabled={busy}>
          {busy ? 'Working…' : action}
        </button>
      </footer>
    </Dialog>
  );
}
