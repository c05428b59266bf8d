//! The mutants: one wrong behaviour each, and the cases that must catch it.

/// A row is: the variant, its number in the catalogue of mutants (0: none),
/// what is wrong, the cases that catch it.
macro_rules! bugs {
    ($( $bug:ident $number:literal $wrong:literal [ $( $case:ident )* ]; )*) => {
        /// What a store does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Bug { $( $bug, )* }

        impl Bug {
            pub(crate) const ALL: &[Self] = &[ $( Self::$bug, )* ];

            pub(crate) fn number(self) -> u32 {
                match self { $( Self::$bug => $number, )* }
            }

            pub(crate) fn wrong(self) -> &'static str {
                match self { $( Self::$bug => $wrong, )* }
            }

            /// The letters and numbers of the cases that must catch it.
            pub(crate) fn caught_by(self) -> &'static [&'static str] {
                match self { $( Self::$bug => &[ $( stringify!($case), )* ], )* }
            }
        }

        #[expect(non_snake_case, reason = "a test is named like its bug")]
        mod caught {
            $( #[test] fn $bug() { crate::must_be_caught(crate::bugs::Bug::$bug); } )*
        }
    };
}

bugs! {
    // Order and visibility.
    LateCommit 1 "takes a place, becomes visible later" [C03 C04 R03];
    HiddenForAWhile 2 "some appends show up below the head later" [C04 R03];
    LosesSome 3 "loses every 7th acknowledged append" [C04 R03];
    BatchReordered 6 "swaps the last two of a batch" [A02 F06];
    StoreByStream 7 "sorts pages of the whole store by stream" [A12];
    HalfVisible 25 "shows a batch entry by entry" [F02 F07 R04];
    BatchInterleaves 25 "appends a batch entry by entry, others in between" [F06 F02];
    PrefixOfBatch 24 "stores a large batch but its last entry" [A02 F03];
    AppearsAndVanishes 39 "shows an append, takes it back, shows it again" [C03 F02 R03];
    DirtyConflict 39 "shows an append that is then refused" [D02 R03];
    StaleReads 40 "a replica that lags answers some reads" [R03];
    IdReused 33 "gives the id of a trimmed newest entry again" [C08 M05];
    IdBlocks 70 "each handle takes ids in blocks of ten" [C09 R03];
    WaitsAtGap 69 "a reader of the store waits for ever at a gap" [C05];
    TrustsClock 32 "recorded_at runs backwards with the clock" [C10];
    SecondsOnly 32 "recorded_at in whole seconds" [C10 B13];
    RestampedOnRead 32 "recorded_at is the time of the read" [M01 B13];
    PagesByTime 7 "the cursor compares recorded_at" [C11];
    // Futures.
    LockKeptOnDrop 41 "a dropped append keeps the lock" [F07 H01 R04];
    KeyRecordedLate 4 "a dropped append stores the entry without its key" [F08 R04];
    ReadHoldsLock 41 "a read that is not polled keeps appends waiting" [A14 A15 I04];
    DroppedReadPoisons 41 "a dropped read leaves the handle unusable" [H01 H05];
    AppendLeaksPermit 77 "each dropped append loses a connection" [H04];
    ReadLeaksPermit 77 "each dropped read loses a connection" [H05];
    TrimsNewestFirst 42 "a trim removes the newest first, in steps" [H01];
    TicketKeptOnDrop 77 "an append dropped while it waits keeps its place in the line" [H03];
    GroupFailsTogether 0 "a refused append takes those along that run beside it" [F09];
    // Deadlines.
    WaitsForEver 45 "an append waits without a deadline" [H06 I03];
    TimeoutAppliedLater 43 "an append that ran out of time, not applied, is applied later" [H06 I03];
    // What is opened.
    LockNotTaken 63 "a second process opens the store too" [I06];
    LockOutlivesHolder 63 "the lock is there after a close" [I06];
    FormatIgnored 79 "a newer format is read as if it were this one" [I07];
    PartMadeAnew 79 "what is missing is made anew, empty" [I07];
    WeakSettingsAccepted 80 "weak settings are taken as they are" [I08];
    // Opening again.
    ForgetsLastAtOpen 8 "the newest entry is gone after an opening" [E08];
    ForgetsKeysAtOpen 9 "dedup keys are gone after an opening" [E08 E09];
    CountersFromRowsAtOpen 34 "an opening counts versions from what is left" [M02 C08];
    CloseDoesNothing 49 "works on after close" [R01 I05];
    CloseOnlyAppends 49 "a closed store refuses appends only" [I05];
    CloseMissesHealth 49 "a closed store tells its health" [I05];
    CloseTwiceIsError 49 "closing twice is an error" [I05];
    CloseOfThePlace 49 "a close closes the other handles of the place" [I05];
    CloseDoesNotWait 49 "a close does not wait for what runs" [I05];
    CloseLosesRunning 49 "what runs at a close is acknowledged and lost" [I05];
    HeadUnclaimedAnswers 50 "has a head of the store without an order" [I09];
    ListClaimedRefused 50 "claims to list and refuses to" [I09 M06];
    ClaimsForgotten 50 "does not claim that reads are detached" [I09];
    // Duplicates.
    DedupNever 5 "stores every repeat" [E01 E02];
    DedupRace 5 "looks for the key, then inserts" [E02 E11 R03];
    RepeatStored 11 "says duplicate and stores the repeat" [E01 R01];
    RepeatNamesNewPlace 12 "the receipt of a repeat names a new place" [E01 E02];
    RepeatSaysAppended 11 "the receipt of a repeat says appended" [E01];
    DedupGlobal 13 "a key counts in all streams" [E03 E05];
    VerificationIgnored 14 "does not compare a repeat although asked to" [E04 F01 F04];
    AlwaysVerifies 14 "refuses a differing repeat although not asked to" [E04];
    PrefixKept 24 "keeps the first entry of a batch with a mismatch" [F01 F04];
    InBatchRepeatStored 72 "stores a key twice if the batch has it twice" [E05 E06];
    PartlyRepeatedRefused 72 "refuses a batch that is partly repeated" [E06 F04];
    ExpectedBeforeDedup 73 "a stale expected version wins over a repeat" [E07 E11];
    NoKeyDedups 74 "equal entries without a key are duplicates" [E10];
    ReceiptsOfFreshOnly 0 "no receipts for repeats" [E06];
    ReceiptsReversed 0 "receipts newest first" [A02];
    ReceiptsOffByOne 0 "the version in receipts counts from 0" [A01 A03];
    KeysFolded 26 "dedup keys ignore case" [E10 G02 B05];
    KeysCompareCut 75 "compares 255 bytes of a dedup key" [G02];
    // Expected versions.
    ExpectedOutsideLock 15 "checks the expected version before it locks" [D04 D06 D07 R03];
    CreateRace 71 "NoStream passes twice in a race" [D06];
    AcceptsHigher 16 "accepts an expected version above the actual one" [D03 D01];
    AcceptsLower 16 "accepts an expected version below the actual one" [D03 D01];
    AnyLosesRace 17 "Any says Ok and stores nothing if another was faster" [D05 R03];
    ConflictBurnsVersions 18 "a conflict leaves a hole in the versions" [D02 R03];
    ConflictKeepsKeys 18 "a conflict remembers the keys of its entries" [D02 E06];
    ConflictStores 43 "says conflict and stores all the same" [D02 R03];
    ActualIsExpected 19 "a conflict reports the expected version as the actual" [D01 D03];
    ActualIsStale 19 "a conflict reports the version before" [D01 D03 R03];
    StreamExistsIsAny 71 "StreamExists is Any" [D01 G05];
    ZeroMeansAny 71 "Exactly(0) is Any" [D01];
    EmptyIsNoStream 71 "a stream trimmed empty counts as never appended to" [D01 M02];
    VersionAsI32 36 "versions are 32 bits wide" [D08];
    VersionsPastTheEnd 36 "versions go on beyond the last" [D08];
    LimitStoresWhatFits 36 "of a batch beyond the last version stores what fits" [D08];
    // Transactions of the caller.
    TxOwnConnection 85 "appends of a transaction go over a connection of their own" [O01 O03];
    TxReadsCommitted 85 "a transaction does not see what it has appended" [O01];
    TxKeysStay 85 "keys that were rolled back stay taken" [O01];
    TxDropCommits 85 "a transaction that is dropped is committed" [O03];
    TxDropLeavesLock 85 "a transaction that is dropped keeps its lock" [O03];
    TxPlacesTakenEarly 1 "a transaction takes ids and lets others pass" [O02];
    TxExpectsCommitted 85 "expectations in a transaction are checked against what is committed" [O04];
    TxConflictSpoils 85 "a conflict ends the transaction" [O04];
    TxDropKeepsHalf 42 "half of an append dropped in a transaction is committed" [O05];
    TxReadsAll 50 "a transaction reads the whole store" [O06];
    StaleSnapshot 73 "a retry that waited is decided on a snapshot of before" [O07];
    // Errors.
    PoisonedByRefusal 51 "a refused call leaves the handle unusable" [D02 G05];
    EveryErrorInternal 78 "every error is Internal" [D01 G05 I01];
    EveryErrorUnknown 78 "every error says that the outcome is unknown" [D01 G05 I01];
    ListUnclaimedIsEmpty 50 "lists nothing instead of refusing to list" [M06 M07 I09];
    TrimUnclaimedIsZero 50 "trims nothing instead of refusing to trim" [M01 M02 M03 M04 M05 I09];
    ReadAllUnclaimedIsEmpty 50 "reads nothing instead of refusing to read the whole store" [A12 A15 I09];
    ConflictSaysRetry 78 "a conflict says that the same call may help" [I01];
    PayloadInError 0 "an error tells what was to be stored" [I01];
    ConflictAppliedLater 43 "a conflict is stored with the next append" [I02 R03];
    // Empty batches and missing streams.
    EmptyBatchCreates 65 "an empty batch creates the stream" [A04 A13];
    EmptyBatchCounts 65 "an empty batch counts as a version" [A04];
    EmptyBatchChecks 65 "an empty batch checks the expected version" [A13];
    EmptyBatchRefused 65 "an empty batch is refused" [A04];
    MissingIsError 65 "a missing stream is an error" [A05];
    // Fidelity.
    PayloadCutAtNul 31 "cuts payloads at a zero byte" [F03 G03 B01 B03];
    PayloadReplaced 64 "every payload is {}" [A01 A06];
    PayloadRewritten 30 "reads JSON and writes it anew" [N06 N01 B02 B10];
    PayloadTrimmed 30 "trims white space off payloads" [N06 B02];
    KeysSwapped 64 "swaps order key and dedup key" [A01 N09];
    SchemaVersionLost 64 "every schema version is 1" [A01 N02 N03 N06];
    SchemaVersionAsI16 36 "schema versions end at 32,767" [G01];
    ContentTypeLost 64 "every content type is JSON" [N08 G01];
    ContentTypeFolded 26 "content types in lower case, ~ as -" [G01 B05];
    OrderKeyCut 75 "cuts order keys at 255 bytes" [G02];
    OrderKeyLost 64 "drops order keys" [A01 A11];
    DedupKeyCut 75 "cuts dedup keys at 255 bytes" [G02];
    MetadataCut 29 "cuts metadata values at 255 bytes" [G01 B09];
    MetadataLast 29 "drops the last pair of metadata" [A01 N09 B08 B09];
    MetadataEmptyLost 67 "drops metadata with an empty value" [A01 B14];
    MetadataLost 29 "drops metadata" [A01 N09];
    PayloadIsText 30 "keeps payloads as UTF-8" [B01];
    PayloadCutAt64K 29 "cuts payloads at 65,535 bytes" [B01];
    EscapedNulLost 31 "drops \\u0000 from JSON" [B02 B03];
    NumbersAsFloats 67 "numbers in JSON pass through f64" [B10 B11];
    DeepRefused 0 "refuses documents nested more than 100 deep" [B12];
    ControlsLost 31 "drops control characters from metadata" [B03];
    EmptyPayloadIsNull 67 "an empty payload becomes null" [B14];
    AbsentKeyIsEmpty 67 "an absent order key becomes an empty one" [B14];
    MetadataDotsNested 29 "a key of metadata hides a.b under a" [B08];
    MetadataDollarLost 29 "drops keys of metadata that begin with $" [B08];
    MetadataKeysFolded 26 "keys of metadata in lower case" [B05];
    MetadataTrimmed 27 "trims white space off values of metadata" [B06];
    KeysTrimmed 27 "dedup keys compare without white space at the ends" [B06];
    OrderKeyIsPattern 28 "an order key is a pattern of LIKE" [B07];
    LocalTime 32 "recorded_at in the time of a zone" [B13];
    StoreTimesRounded 32 "the whole store has recorded_at in milliseconds" [B13];
    // Names and limits.
    NamesCollated 27 "stream names compare by a collation" [B04];
    NamesFolded 26 "stream names ignore case" [A12 G04 M06 B05];
    NamesTrimmed 27 "trims white space off stream names" [A06 G04 B06];
    NamesNormalised 27 "normalises stream names" [M06 B04];
    NamesCut 75 "cuts stream names at 500 bytes" [G02];
    IncompressibleRefused 75 "only long keys that compress work" [G02];
    LargeBatchRefused 75 "refuses more than 1,000 entries" [F03 G01];
    LowerLimits 75 "the limit of payloads is one less" [G01];
    HigherKeyLimit 75 "the limit of keys is higher" [G01];
    // Reading a stream.
    AfterInclusive 20 "the cursor is inclusive" [A07 C01 R01];
    SkipsAtBorder 21 "skips one at each border of a page" [C01 C04];
    DescIgnored 22 "ignores desc" [A08 C12];
    LimitBeforeReverse 22 "takes the oldest, then turns them around" [A08 C12];
    HiddenLimit 23 "gives 100 and says that this is all" [A09];
    AlwaysCaughtUp 23 "a full page says that nothing follows" [A09 C01];
    NeverCaughtUp 69 "no page says that it is the last" [A05];
    LimitIgnored 75 "ignores the limit" [A09];
    LimitOffByOne 75 "gives one more than the limit" [A09];
    PageBytesIgnored 75 "a page has no limit in bytes" [G09];
    PageBytesSwallow 75 "the entry that does not fit on a page is lost" [G09];
    StreamIgnored 64 "reads all streams" [A06];
    StreamIsPrefix 28 "reads streams whose name starts so" [A06];
    BeforeIgnored 38 "ignores before next to after" [A11 G08];
    BeforeInclusive 20 "before is inclusive" [A08 C12 G08];
    CrossedBoundsIgnored 90 "after above before reads on" [A07 G08];
    EmptyRangeIsAll 90 "an empty range of versions is none at all" [A07 G08];
    UpperVersionExclusive 90 "the upper end of versions is exclusive" [A11];
    VersionsAsI64 36 "versions above i64 wrap" [G08];
    FiltersOr 38 "order key or versions" [A11];
    SecondFilterIgnored 38 "versions, whatever the order key" [A11];
    OrderKeyFolded 26 "order keys ignore case" [A11 G02 B05];
    SkipsUnreadable 53 "skips JSON that it cannot read" [N05];
    NegativeAccepted 90 "a negative id is a bound like any other" [G05 C14];
    FutureIsEmpty 68 "an id ahead of the store reads nothing" [C14 G05];
    // The state of a stream.
    StatCached 66 "the state is kept until the store is opened again" [A10 D07 R03];
    LastIsFirst 66 "the last id is the first" [A10];
    RetainedIsVersion 66 "counts trimmed entries as retained" [A10 M02];
    VersionIsRetained 34 "the last version is what is retained" [M02];
    EmptyIsMissing 66 "a stream trimmed empty has no state" [A10 M02];
    // Trimming.
    VersionsRestart 34 "versions restart after a trim of everything" [M02 C08];
    TrimsNewest 35 "trims the newest" [M01];
    TrimsOneMore 35 "trims one too many" [M01 R01];
    TrimsOneLess 35 "a trim is exclusive" [M01];
    TrimDoesNothing 35 "says how many it would trim" [M01];
    TrimsAllStreams 35 "trims all streams" [M01];
    TrimCountsId 35 "answers the id instead of a count" [C08 M01];
    TrimBeyondIsNothing 90 "a trim beyond the head removes nothing" [M01];
    TrimUnknownIsError 90 "a trim of an unknown stream is an error" [M01];
    TrimForgetsKeys 10 "a trim forgets all keys of the stream" [E09];
    KeysOutliveTrim 10 "the keys of trimmed entries stay taken" [E09];
    TrimmedIsError 83 "a cursor into the trimmed range is refused" [M03];
    PagesByOffset 83 "pages by counting what is left" [M03 M04];
    StreamGoneWithLast 37 "a stream trimmed empty is forgotten" [M02 M05 M06];
    // Listing.
    ListFolded 37 "lists in an order that ignores case" [M06 B05];
    ListByCreation 37 "lists in the order of creation" [M06 M07];
    ListHidesEmpty 37 "does not list streams trimmed empty" [M05 M06];
    ListDropsAtBorder 37 "drops a name at each border of a page" [M06 M07];
    ListRepeatsAtBorder 37 "repeats a name at each border of a page" [M06];
    ListCached 37 "keeps the list until the store is opened again" [M06 M07];
    // The whole store.
    StoreInclusive 20 "the cursor of the store is inclusive" [C01 A12];
    StoreSkips 21 "skips one at each border of a page of the store" [C01 A12];
    StoreDescIgnored 22 "ignores desc in the whole store" [A12 C12];
    StoreLosesSome 7 "leaves out entries of the whole store" [A12 C13];
    StoreStreamWrong 64 "names the wrong stream" [A12];
    StoreBytesIgnored 75 "a page of the store has no limit in bytes" [G09];
    StoreCaughtUp 23 "a full page of the store says that nothing follows" [C01];
    GarbageIsStart 68 "a cursor of garbage is the beginning" [C02 G05];
    ForeignAccepted 68 "takes the cursor of another store" [C02];
    DirectionAccepted 68 "takes the cursor of the other direction" [C02];
    AheadAccepted 68 "takes a cursor ahead of the store" [C02];
    HeadIsStart 66 "the head of the store is its beginning" [C13];
    HeadIsBeforeLast 66 "the head of the store is before the last entry" [C13];
    BehindFirstSeen 47 "the place of a reader is behind the first it saw" [A15];
    BehindHead 47 "the place of a reader is the head" [A15 C02];
}
